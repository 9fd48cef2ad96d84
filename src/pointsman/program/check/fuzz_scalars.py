"""The fuzzing grammar of int, bool and str expressions.

No factor of `*` is both free and possibly a sequence: a string passed for an int, times a large int, would fill memory.
"""

from pointsman.program.check.fuzz_template import Template, templates

SCALARS: dict[str, tuple[Template, ...]] = {
    "int": templates("""
:: 14 :: <int> + <int>
:: 14 :: <int> - <int>
:: 5 :: <int> * (<int> % 50)
:: 4 :: (<int> - <int>) * (<int> + 1)
:: 3 :: abs(<int>) * -<int>
:: 3 :: <int> * 3
:: 2 use x:int :: @x * @x
:: 8 :: <int> // <nz>
:: 10 :: <int> % <nz>
:: 1 :: <int> // <int>
:: 1 :: <int> % <int>
:: 4 :: -<int>
:: 2 :: ~<int>
:: 1 :: +<int>
:: 4 :: <int> & <int>
:: 4 :: <int> | <int>
:: 4 :: <int> ^ <int>
:: 3 :: <int> << (<int> & 5)
:: 3 :: <int> >> (<int> & 7)
:: 3 :: (<int> % 50) ** (<int> % 4)
:: 2 :: pow(<int>, <small>, 97)
:: 4 :: abs(<int>)
:: 4 :: min(<int>, <int>)
:: 4 :: max(<int>, <int>, <int>)
:: 10 :: <int> if <bool> else <int>
:: 5 :: <int> or <int>
:: 5 :: <int> and <int>
:: 3 :: <bool> + <bool>
:: 2 :: <int> - <bool>
:: 1 :: int(<bool>)
:: 1 :: int(<float>)
:: 1 :: round(<float>)
:: 4 :: len(<list>)
:: 4 :: len(<str>)
:: 2 :: len(<dict>) + len(<set>)
:: 4 :: sum(<list>)
:: 2 :: max(<list>, default=<int>)
:: 2 :: min(<list>, default=0)
:: 6 use p:list :: @p[<int> % len(@p)] if @p else <int>
:: 4 use p:list :: @p[-1] if len(@p) > 0 else <int>
:: 1 use p:list :: @p[<int> % len(@p)]
:: 1 use p:list :: @p[<small>]
:: 1 use p:list :: @p[-<small>]
:: 2 use p:list :: @p and @p[0] or <int>
:: 3 use p:list :: @p.count(<int>)
:: 1 use p:list :: @p.index(<int>)
:: 3 use p:list :: @p.pop() if @p else <int>
:: 2 use p:list :: @p.pop(0) if len(@p) > 2 else len(@p)
:: 6 use d:dict :: @d.get(<key>, <int>)
:: 2 use d:dict :: @d[<key>] if <key> in @d else <int>
:: 1 use d:dict :: @d[<key>]
:: 2 use d:dict :: @d.pop(<key>, <int>)
:: 2 use d:dict :: @d.setdefault(<key>, <int~>)
:: 2 use d:dict :: sum(@d.values())
:: 3 :: TABLE.get(<key>, <int>)
:: 3 :: WEIGHTS[<int> % 4]
:: 3 use t:tuple :: @t[0] - @t[-1]
:: 3 :: <tuple>[<int> % 2]
:: 3 :: divmod(<int>, <nz>)[<int> & 1]
:: 3 use m:nest :: @m[0][-1] if @m and @m[0] else <int>
:: 3 use m:nest new r:list :: sum(len(@r) for @r in @m)
:: 5 use o:opt :: @o if @o is not None else <int>
:: 2 use o:opt :: @o or <int>
:: 3 :: <str>.find(<str>)
:: 2 :: <str>.count(<str>)
:: 3 use s:str :: ord(@s[0]) if @s else <int>
:: 2 use s:str :: int(@s) if @s.isdigit() else <int>
:: 1 :: int(str(<int>)[-2:])
:: 1 :: (<int>).bit_length()
:: 3 new x:int :: (lambda @x: <int>)(<int!>)
:: 2 new x:int y:int :: (lambda @x, @y=<int!>: <int>)(<int!>)
:: 6 new x:int loop 8 :: sum(<int> for @x in <iter!> if <bool>)
:: 3 use p:list new x:int :: sum(@x for @x in @p if @x > 2)
:: 3 new x:int loop 8 :: next((@x for @x in <iter!> if <bool>), <int!>)
:: 2 new x:int loop 8 :: sum(map(lambda @x: <int>, <iter!>))
:: 2 new x:int loop 8 :: len({<int> for @x in <iter!>})
:: 2 new x:int loop 8 :: max((<int> for @x in <iter!>), default=0)
:: 3 new i:int x:int loop 8 :: sum(@i * @x for @i, @x in enumerate(<iter!>))
:: 3 new x:int y:int loop 8 :: sum(@x - @y for @x, @y in zip(<iter!>, <iter!>))
:: 2 :: isinstance(<any>, int) + <int>
"""),
    "bool": templates("""
:: 8 :: <int> < <int>
:: 6 :: <int> >= <int>
:: 6 :: <int> == <int>
:: 5 :: <int> != <int>
:: 6 :: <int> < <int> <= <int>
:: 2 :: <int> <= <int> != <int> > <int>
:: 7 :: <int> % <nz> == <small>
:: 6 :: not <bool>
:: 7 :: <bool> and <bool>
:: 7 :: <bool> or <bool>
:: 2 :: <bool> != <bool>
:: 2 :: <bool> ^ <bool>
:: 2 :: <bool> & <bool>
:: 2 :: bool(<int>)
:: 2 :: bool(<list>)
:: 2 :: <bool> if <bool> else <bool>
:: 5 :: <int> in <list>
:: 3 :: <int> not in <tuple>
:: 3 :: <int> in <set>
:: 2 :: <int> in range(<int>, <int>)
:: 4 :: <key> in <dict>
:: 4 :: <str> in <str>
:: 4 :: <str> == <str>
:: 3 :: <str> < <str>
:: 2 :: <list> == <list>
:: 2 :: <list> < <list>
:: 2 :: <tuple> > <tuple>
:: 2 :: <set> <= <set>
:: 4 :: <float> < <float>
:: 3 :: <float> == <float>
:: 2 :: <float> != <float>
:: 2 :: not <float> >= <int>
:: 2 use x:float :: @x != @x
:: 2 :: <int> == <float>
:: 5 use o:opt :: @o is None
:: 4 use o:opt :: @o is not None and @o > <int>
:: 2 use x:int :: isinstance(@x, bool)
:: 2 :: isinstance(<any>, (int, str))
:: 1 :: <any> is None
:: 3 :: <str>.startswith(<str>)
:: 2 :: <str>.endswith(('a', <str>))
:: 2 :: <str>.isdigit()
:: 2 :: <str>.isalpha()
:: 2 :: <str>.upper() == <str>
:: 4 new x:int loop 8 :: any(<bool> for @x in <iter!>)
:: 4 new x:int loop 8 :: all(<bool> for @x in <iter!>)
:: 2 :: any([<bool>, <bool>])
"""),
    "str": templates("""
:: 8 :: <str> + <str>
:: 6 :: str(<int>)
:: 2 :: repr(<list>)
:: 1 :: repr(<str>)
:: 2 :: str(<float>)
:: 1 :: str(<bool>)
:: 3 :: <str> * (<int> % 3)
:: 3 :: <str>.upper()
:: 2 :: <str>.lower()
:: 2 :: <str>.title()
:: 1 :: <str>.swapcase()
:: 3 :: <str>.strip()
:: 1 :: <str>.lstrip('aH')
:: 3 :: <str>.replace(<str.>, <str.>)
:: 1 :: <str>.replace('a', 'b', <small>)
:: 2 :: <str>.zfill(<small>)
:: 2 :: <str>.center(<small>, '*')
:: 1 :: <str>.rjust(<small> + 2)
:: 4 :: <str>[::-1]
:: 4 :: <str>[<int>:<int>]
:: 3 :: <str>[<small>:]
:: 2 :: <str>[:-<small>]
:: 3 use s:str :: @s[0] if @s else <str>
:: 1 use s:str :: @s[<int> % len(@s)]
:: 3 :: <str> or <str>
:: 2 :: <str> and <str>
:: 5 :: <str> if <bool> else <str>
:: 3 :: <str>.join(<strs>)
:: 4 new x:int loop 8 :: ','.join(str(@x) for @x in <iter!>)
:: 2 :: ''.join(sorted(<str>))
:: 3 new c:str loop 9 :: ''.join(@c for @c in <str!>[:9] if <bool>)
:: 1 :: ''.join(reversed(<str>))
:: 3 :: chr(97 + <int> % 26)
:: 2 :: <str>.partition('a')[<int> % 3]
:: 1 :: '%d-%s' % (<int>, <str>)
:: 1 :: '{}:{:>4}'.format(<int>, <str>)
:: 3 :: f"{<int.>}"
:: 3 :: f"{<int.> + <int.>:>6}|{<int.>:+d}"
:: 3 :: f"{<float.>:.2f}/{<str.>!r:>8}"
:: 2 :: f"{<int.> & 255:08b}{<int.>:,}"
:: 2 :: f"{<int.>:{<int.> % 9}}"
:: 2 :: f"{<str.>:*^7}{<int.>:x}"
:: 1 :: f"{<int.>=}"
:: 2 :: f"<{<list.>}{<bool.>}>"
"""),
}
