"""The literals of the fuzzing grammar, and the smallest expressions that still depend on a name."""

LITERALS: dict[str, tuple[str, ...]] = {
    "int": ("0", "1", "2", "3", "5", "7", "10", "13", "100", "(-1)", "(-2)", "(-7)", "(-100)"),
    "bool": ("True", "False"),
    "str": ("''", "'a'", "'b'", "'abc'", "'Hello'", "' x y '", "'a,b,c'", "'42'", "'-7'", "'é'", "'aBaB'"),
    "float": ("0.0", "0.5", "1.5", "-2.25", "0.1", "-0.0", "1e10", "3.0", "float('nan')", "float('inf')"),
    "list": ("[]", "[1]", "[3, 1, 2]", "[0, -1, 5]", "[2, 2, 7, -3]", "list(range(5))"),
    "dict": ("{}", "{'a': 1}", "{'a': 2, 'b': -1}", "{'c': 0, 'a': 5, 'b': 7}"),
    "set": ("set()", "{1}", "{1, 2, 3}", "{0, -1}"),
    "tuple": ("(1, 2)", "(0, -1, 4)", "(7, 7)", "(3, 1, 2)"),
    "opt": ("None", "0", "3", "-5"),
    "nest": ("[[1, 2], [3, 4]]", "[[0]]", "[[1], [], [2, 3]]", "[[5, -1, 2], [0, 0, 1]]"),
    "strs": ("['a', 'b']", "[]", "['x', '', 'yz']", "['b', 'a', 'b']"),
    "small": ("0", "1", "2", "3", "4", "5", "6"),
    "nz": ("1", "2", "3", "5", "7", "(-1)", "(-2)", "(-3)", "10"),
    "key": ("'a'", "'b'", "'c'", "'a'", "'b'", "'zz'"),
    "pair": ("(1, 2)", "(0, -1)", "(-3, 8)"),
    "iter": ("range(4)", "(1, 2, 3)", "[4, 0, -2]", "range(5, -1, -2)"),
}

# In place of a literal, so that little in a program is constant.
SMALLEST: dict[str, tuple[str, ...]] = {
    "bool": (
        "(<int.> < 3)",
        "(<int.> >= 0)",
        "(<int.> != 2)",
        "(<int.> < <int.>)",
        "(<int.> % 2 == 0)",
        "(<str.> > 'a')",
    ),
    "str": ("str(<int.>)", "'abcdef'[<int.>:]"),
    "float": ("(<int.> / 4)", "(<int.> * 0.5)"),
    "list": ("[<int.>, <int.>]", "[<int.>, 4, -1]"),
    "dict": ("{'a': <int.>}", "{'b': <int.>, 'a': 2}"),
    "set": ("{<int.>, 2}",),
    "tuple": ("(<int.>, <int.>)", "(1, <int.>, <int.>)"),
    "opt": ("(<int.> or None)",),
    "nest": ("[[<int.>], [1, <int.>]]",),
    "strs": ("['b', <str.>]",),
    "small": ("(<int.> % 7)", "len(<list.>[:6])"),
    "pair": ("(<int.>, <int.>)",),
    "iter": ("<list.>[:8]", "range(<int.> % 7)", "(<int.>, 2, <int.>)"),
}
