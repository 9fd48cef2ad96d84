"""The page's style sheet. Colours of series after Okabe and Ito (2008), which colour-blind readers tell apart."""

_LIGHT = "--ink:#1f2933;--muted:#52606d;--line:#cbd2d9;--paper:#fcfcfa;--tile:#f1f2ee;--heat:#b3541e;--bad:#b42318"
_DARK = "--ink:#e4e7eb;--muted:#9aa5b1;--line:#3e4c59;--paper:#14181d;--tile:#1e242b;--heat:#f0975a;--bad:#ff8a7a"
_SERIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8f98", "#b8a800")
_SHADES = {"h0": 8, "h1": 54, "h2": 100, "u0": 8, "u1": 100}
"""Of the legends of heat maps, in per cent; as `drawing.heat_map` has them."""

STYLE = (
    f":root{{color-scheme:light dark;{_LIGHT}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
    "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}"
    "main{max-width:60rem;margin:0 auto;padding:1.5rem}"
    "h1{font-size:1.6rem;overflow-wrap:anywhere}h2{font-size:1.2rem;margin-top:2.5rem}"
    ".strip{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:.75rem;margin:0 0 1.5rem}"
    ".strip div{background:var(--tile);border-radius:.5rem;padding:.7rem .9rem}"
    ".strip dt{color:var(--muted);font-size:.85rem}.strip dd{margin:0;font-size:.8rem;color:var(--muted)}"
    ".strip .value{font-size:1.4rem;line-height:1.3;color:var(--ink);font-variant-numeric:tabular-nums}"
    ".strip .bad{color:var(--bad)}"
    "figure{margin:0 0 1rem}figcaption,.note{color:var(--muted);font-size:.9rem;max-width:48rem}"
    "svg{display:block;width:100%;min-width:38rem;height:auto;font:12px system-ui,sans-serif}"
    "svg text{fill:var(--ink);paint-order:stroke;stroke:var(--paper);stroke-width:3px}"
    "svg .tick,svg .label{fill:var(--muted)}"
    ".axis{stroke:var(--muted)}.grid{stroke:var(--line);stroke-width:.5}"
    ".same{stroke:var(--muted);stroke-dasharray:4 4}.span{stroke-width:1.5}"
    ".whisker{stroke:var(--ink);stroke-width:2}.cell{fill:var(--heat)}"
    ".chosen{fill:var(--ink);stroke:var(--ink)}svg .hollow{fill:none;stroke-width:2}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}"
    "caption{text-align:left;color:var(--muted);padding:.25rem 0;white-space:nowrap}"
    "th,td{text-align:left;padding:.25rem .9rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}"
    "@media (max-width:40rem){tbody th{min-width:8rem;overflow-wrap:anywhere;white-space:normal!important}}"
    "th,td{white-space:nowrap}td:nth-child(2):last-child,th:has(+td:last-child){white-space:normal}"
    "details{margin:0 0 1rem;font-size:.9rem}summary{cursor:pointer;color:var(--muted)}details caption{display:none}"
    ".keys{display:block;margin:.25rem 0;color:var(--ink)}"
    ".key{display:inline-block;margin-right:1rem;overflow-wrap:anywhere}"
    ".key i{display:inline-block;width:.8em;height:.8em;margin-right:.35em}"
    + "".join(
        f".c{number}{{fill:{colour};stroke:{colour}}}i.c{number}{{background:{colour}}}"
        for number, colour in enumerate(_SERIES)
    )
    + "".join(
        f"i.{name}{{background:color-mix(in srgb,var(--heat) {share}%,transparent)}}" for name, share in _SHADES.items()
    )
)
