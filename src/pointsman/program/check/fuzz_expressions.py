"""The fuzzing grammar of expressions: templates by kind of value.

Kinds: int, bool, str, float, list (of int), dict (str to int), set (of int), tuple (of int), opt (int or None), nest
(list of list of int), strs (list of str). The rest are roles: `small` 0 to 6, `nz` nearly never zero, `key` a dict key,
`pair` two ints, `iter` an iterable that no mutation can extend while it is read.

Sets are only read in ways that do not show their order, and `is` only compares with None: neither is part of what a
program means.
"""

from pointsman.program.check.fuzz_scalars import SCALARS
from pointsman.program.check.fuzz_template import Template, templates

EXPRESSIONS: dict[str, tuple[Template, ...]] = SCALARS | {
    "float": templates("""
:: 5 :: <float> + <float>
:: 4 :: <float> - <int>
:: 5 :: <float> * (<float> / 2)
:: 6 :: <int> / <nz>
:: 1 :: <float> / <int>
:: 2 :: <float> // <nz>
:: 2 :: <float> % <nz>
:: 1 :: (<float> % 9.5) ** 2
:: 3 :: float(<int>)
:: 2 :: abs(<float>)
:: 2 :: -<float>
:: 2 :: round(<float>, 2)
:: 2 :: min(<float>, <float>)
:: 2 :: max(<int>, <float>)
:: 3 :: sum(<list>) / max(len(<list>), 1)
:: 4 :: <float> if <bool> else <float>
:: 2 :: <float> or <float>
:: 2 new x:int loop 8 :: sum(@x / 2 for @x in <iter!>)
"""),
    "list": templates("""
:: 5 :: [<int~>, <int~>]
:: 3 :: [<int~>, *<iter>, <int~>]
:: 8 new x:int loop 8 :: [<int~> for @x in <iter!>]
:: 8 new x:int loop 8 :: [<int~> for @x in <iter!> if <bool>]
:: 4 new x:int y:int loop 30 :: [@x * @y - <int.> for @x in <iter!> for @y in range(<small!>) if @x != @y]
:: 3 new x:int y:int loop 8 :: [@x + @y for @x, @y in zip(<iter!>, <iter!>)]
:: 3 new i:int x:int loop 8 :: [@i if <bool> else @x for @i, @x in enumerate(<iter!>)]
:: 4 use m:nest new r:list x:int :: [@x for @r in @m for @x in @r[:5]]
:: 2 use p:list new x:int needs cold :: [@x + 1 for @x in @p]
:: 2 new c:str loop 9 :: [int(@c) for @c in str(abs(<int!>))[:9]]
:: 4 :: <list>[:4] + <list>[:4]
:: 2 :: <list>[:3] * (<int> % 3)
:: 4 :: <list>[<int>:<int>]
:: 3 :: <list>[::-1]
:: 2 :: <list>[-<small>::2]
:: 2 :: <list>[<small>:<small>:-1]
:: 4 :: sorted(<list>)
:: 2 :: sorted(<iter>, reverse=<bool>)
:: 3 new x:int loop 8 :: sorted(<iter!>, key=lambda @x: <int>)
:: 2 new x:int :: sorted(<iter!>, key=lambda @x: (@x % 3, -@x))
:: 2 :: sorted(<set>)
:: 3 :: list(<iter>)
:: 2 :: list(range(<small>))
:: 2 :: list(range(<int> % 9, -1, -2))
:: 2 :: list(reversed(<list>))
:: 2 new x:int loop 8 :: list(map(lambda @x: <int~>, <iter!>))
:: 2 new x:int loop 8 :: list(filter(lambda @x: <bool>, <iter!>))
:: 2 :: list(<tuple>)
:: 2 use d:dict :: list(@d.values())
:: 3 :: <list> if <bool> else <list>
:: 2 :: <list> or <list>
:: 2 use p:list :: @p.copy()
:: 2 use p:list :: @p[:]
:: 2 use m:nest :: @m[0] if @m else <list>
:: 2 use p:list :: [*@p, <int~>]
"""),
    "dict": templates("""
:: 4 :: {'a': <int~>, <key>: <int~>}
:: 4 new x:int loop 8 :: {str(@x % 3): <int~> for @x in <iter!>}
:: 3 new k:str v:int loop 8 :: {@k: @v for @k, @v in <dict!>.items() if <bool>}
:: 2 new c:str loop 3 :: {@c: <int~> for @c in 'abc' if <bool>}
:: 3 :: dict(zip('abc', <iter>))
:: 3 :: {**<dict>, <key>: <int~>}
:: 2 :: <dict> | <dict>
:: 2 :: dict(a=<int~>, b=<int~>)
:: 2 :: dict(sorted(<dict>.items()))
:: 2 :: dict(<dict>)
:: 2 :: <dict> if <bool> else <dict>
"""),
    "set": templates("""
:: 4 :: {<int~>, <int~>}
:: 4 :: set(<iter>)
:: 4 new x:int loop 8 :: {<int~> for @x in <iter!> if <bool>}
:: 3 :: <set> | <set>
:: 3 :: <set> & <set>
:: 3 :: <set> - <set>
:: 2 :: <set> ^ <set>
:: 1 :: <set>.union(<iter>)
"""),
    "tuple": templates("""
:: 6 :: (<int~>, <int~>)
:: 4 :: (<int~>, <int~>, <int~>)
:: 3 :: divmod(<int~>, <nz>)
:: 3 :: <tuple>[::-1]
:: 2 needs cold :: <tuple> + (<int~>,)
:: 2 :: tuple(<iter>)
:: 2 new x:int loop 3 :: tuple(<int~> for @x in range(3))
:: 2 :: <tuple> if <bool> else <tuple>
:: 2 :: (min(<list>, default=0), len(<list>))
"""),
    "opt": templates("""
:: 6 :: <int~> if <bool> else None
:: 4 :: None if <bool> else <int~>
:: 4 use d:dict :: @d.get(<key>)
:: 3 new x:int loop 8 :: next((@x for @x in <iter!> if <bool>), None)
"""),
    "nest": templates("""
:: 4 :: [[<int~>, <int~>], [<int~>]]
:: 4 new x:int y:int loop 30 :: [[<int~> for @x in range(<small!>)] for @y in range(<small!>)]
:: 3 use m:nest new r:list :: [@r[:] for @r in @m]
:: 3 use m:nest new r:list :: [list(@r) for @r in zip(*@m)]
:: 3 :: [<list>[:3], <list>[:3]]
:: 2 :: [[<int~>] * 2] * 2
:: 1 use m:nest :: sorted(@m, key=len)
"""),
    "strs": templates("""
:: 3 :: <str>.split()
:: 3 :: <str>.split(',')
:: 4 :: [<str~>, <str~>]
:: 3 new x:int loop 8 :: [<str~> for @x in <iter!>]
:: 3 :: list(<str>[:5])
:: 2 :: sorted(<strs>)
:: 2 use d:dict :: sorted(@d)
:: 2 use q:strs new s:str loop 8 :: [@s.upper() for @s in @q if <bool>]
"""),
    "small": templates("""
:: 6 :: <int> % 7
:: 3 :: len(<list>[:6])
:: 2 :: abs(<int>) % 5
:: 1 :: int(<bool>)
"""),
    "nz": templates("""
:: 3 :: <int> | 1
:: 3 :: abs(<int>) + 1
:: 2 :: <int> or 3
:: 1 :: -1 - <small>
:: 1 :: <int>
"""),
    "key": templates("""
:: 2 :: str(<int> % 3)
:: 2 :: <str>[:1]
:: 2 :: 'ab'[<int> & 1]
"""),
    "pair": templates("""
:: 5 :: (<int~>, <int~>)
:: 2 :: divmod(<int~>, <nz>)
:: 2 :: (<int~>, <int~>)[::-1]
:: 2 :: [<int~>, <int~>]
:: 2 :: <tuple>[:2]
"""),
    "iter": templates("""
:: 8 :: <list>[:8]
:: 6 :: range(<small>)
:: 2 :: range(<small>, <small> + 5, <small> + 1)
:: 2 :: range(<small>, -1, -1)
:: 2 :: sorted(<list>)[:8]
:: 2 :: reversed(<list>[:8])
:: 2 :: <tuple>[:8]
:: 1 :: sorted(<set>)[:8]
:: 1 :: list(<dict>.values())[:8]
"""),
}
