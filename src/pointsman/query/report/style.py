"""The page's style sheet. Colours of series after Okabe and Ito (2008), which colour-blind readers tell apart."""

_LIGHT = "--ink:#1f2933;--muted:#52606d;--line:#cbd2d9;--paper:#fcfcfa;--heat:#b3541e"
_DARK = "--ink:#e4e7eb;--muted:#9aa5b1;--line:#3e4c59;--paper:#14181d;--heat:#f0975a"
_SERIES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8f98", "#b8a800")

STYLE = (
    f":root{{color-scheme:light dark;{_LIGHT}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
    "body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}"
    "main{max-width:60rem;margin:0 auto;padding:1.5rem}"
    "h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.5rem}"
    "figure{margin:0 0 1rem}svg{width:100%;height:auto;font:12px system-ui,sans-serif}"
    "svg text{fill:var(--ink)}svg .tick{fill:var(--muted)}svg .label{fill:var(--muted)}"
    ".axis{stroke:var(--muted)}.grid{stroke:var(--line);stroke-width:.5}"
    ".same{stroke:var(--muted);stroke-dasharray:4 4}.span{stroke-width:1.5}"
    ".whisker{stroke:var(--ink);stroke-width:2}.marked{stroke:var(--ink);stroke-width:1.5}.cell{fill:var(--heat)}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}"
    "caption{text-align:left;color:var(--muted);padding:.25rem 0}"
    "th,td{text-align:left;padding:.25rem .9rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}"
    ".key{margin-right:1rem}.key i{display:inline-block;width:.8em;height:.8em;margin-right:.35em}"
    + "".join(
        f".c{number}{{fill:{colour};stroke:{colour}}}i.c{number}{{background:{colour}}}"
        for number, colour in enumerate(_SERIES)
    )
)
