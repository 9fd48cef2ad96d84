"""The fuzzing grammar of statements: assignment, mutation, branches, loops.

A `for` never runs over a list that its body could extend, and the counter of a `while` falls at the top of its body,
before any `continue`.
"""

from pointsman.program.check.fuzz_template import Template, templates

ASSIGNMENTS: tuple[Template, ...] = templates("""
:: 18 keep a:int :: @a = <int~>
:: 2 keep a:int :: @a: int = <int~>
:: 14 use p:int :: @p = <int~>
:: 5 keep a:bool :: @a = <bool>
:: 7 keep a:str :: @a = <str~>
:: 4 use p:str :: @p = <str~>
:: 4 keep a:float :: @a = <float>
:: 9 keep a:list :: @a = <list~>
:: 3 use p:list :: @p = <list~>
:: 4 keep a:dict :: @a = <dict>
:: 2 keep a:set :: @a = <set>
:: 3 keep a:tuple :: @a = <tuple>
:: 4 keep a:opt :: @a = <opt>
:: 3 keep a:nest :: @a = <nest>
:: 2 keep a:strs :: @a = <strs~>
:: 2 keep a:int b:int :: @a = @b = <int~>
:: 2 keep a:list b:list :: @a = @b = <list~>
:: 4 use p:list keep a:list
@a = @p
@a.append(<int~>)
:: 3 use m:nest keep a:list
@a = @m[0] if @m else []
@a.append(<int~>)
:: 6 keep a:int b:int :: @a, @b = <pair>
:: 4 use p:int q:int :: @p, @q = @q, @p
:: 3 use p:int q:int :: @p, @q = @q + <int.>, @p - @q
:: 1 use p:list :: @p[0], @p[-1] = @p[-1], @p[0]
:: 3 keep a:int b:list :: @a, *@b = [<int~>, *<iter>]
:: 1 keep a:list b:int :: *@a, @b = <list>
:: 2 keep a:int b:int c:str :: (@a, @b), @c = <pair>, <str~>
:: 2 use p:list :: @p = @p[1:] + @p[:1]
:: 12 use p:int :: @p += <int~>
:: 7 use p:int :: @p -= <int~>
:: 4 use p:int
@p *= <int> % 100
@p %= 10007
:: 3 use p:int :: @p //= <nz>
:: 3 use p:int :: @p %= <nz>
:: 2 use p:int :: @p ^= <int~>
:: 1 use p:int :: @p |= <int~>
:: 1 use p:int :: @p &= <int~>
:: 1 use p:int :: @p >>= <small>
:: 1 use p:int
@p **= 2
@p %= 997
:: 3 use p:str :: @p = (@p + <str>)[-20:]
:: 4 use p:str :: @p += <str~>[:3]
:: 2 use p:float :: @p *= <float> / 2
:: 2 use p:float :: @p += <float>
:: 2 keep a:int :: @a = LIMIT - <int~>
:: 1 new a:int keep b:int
@a = <int~>
del @a
try:
    @b = @a
except NameError:
    @b = <int~>
""")

MUTATIONS: tuple[Template, ...] = templates("""
:: 12 use p:list :: @p.append(<int~>)
:: 4 use p:list :: @p.extend(<list>[:3])
:: 4 use p:list :: @p += <list>[:3]
:: 1 use p:list needs cold :: @p *= 2
:: 4 use p:list :: @p.insert(<int>, <int~>)
:: 3 use p:list
if @p:
    @p.pop()
:: 1 use p:list keep a:int :: @a = @p.pop()
:: 1 use p:list
if <int.> in @p:
    @p.remove(<int.>)
:: 3 use p:list :: @p.sort()
:: 2 use p:list new x:int :: @p.sort(key=lambda @x: <int>, reverse=<bool!>)
:: 3 use p:list :: @p.reverse()
:: 1 use p:list :: @p.clear()
:: 6 use p:list
if @p:
    @p[<int> % len(@p)] = <int~>
:: 5 use p:list
if @p:
    @p[<int> % len(@p)] += <int~>
:: 1 use p:list :: @p[-1] -= <int~>
:: 1 use p:list :: @p[<small>] = <int~>
:: 4 use p:list :: @p[<small>:<small>] = <list>[:2]
:: 1 use p:list :: @p[::2] = <list>
:: 3 use p:list :: @p[:] = [<int~>, *@p[:5]]
:: 3 use p:list :: del @p[<small>:<small> + 2]
:: 1 use p:list :: del @p[0]
:: 7 use d:dict :: @d[<key>] = <int~>
:: 5 use d:dict :: @d[<key>] = @d.get(<key>, 0) + <int~>
:: 1 use d:dict :: @d[<key>] += <int~>
:: 3 use d:dict :: @d.update(<dict>)
:: 2 use d:dict :: @d |= <dict>
:: 3 use d:dict :: @d.pop(<key>, None)
:: 1 use d:dict :: del @d[<key>]
:: 4 use s:set :: @s.add(<int~>)
:: 2 use s:set :: @s.discard(<int>)
:: 2 use s:set :: @s |= <set>
:: 1 use s:set :: @s -= <set>
:: 4 use m:nest
if @m:
    @m[<int> % len(@m)].append(<int~>)
:: 3 use m:nest new r:list loop 4
for @r in @m[:4]:
    if @r:
        @r[-1] += <int~>
:: 3 use m:nest :: @m.append(<list>[:3])
:: 3 use q:strs :: @q.append(<str~>)
:: 2 use p:list new x:int
for @x in @p:
    if @x % 2 and len(@p) < 12:
        @p.append(@x - 1)
:: 2 use p:list new x:int
for @x in @p:
    if @x > <int.>:
        @p.remove(@x)
""")

BRANCHES: tuple[Template, ...] = templates("""
:: 12
if <bool>:
    <block>
:: 12
if <bool>:
    <block>
else:
    <block>
:: 7
if <bool>:
    <block>
elif <bool>:
    <block>
else:
    <block>
:: 6 keep a:int
if <bool>:
    @a = <int~>
else:
    @a = <int~>
:: 2 maybe a:int
if <bool>:
    @a = <int~>
    <block>
else:
    <block>
:: 2
if <list>:
    <block>
:: 4 use o:opt new a:int
if @o is None:
    <block>
else:
    @a = @o + <int.>
    <block>
:: 5
if <bool>:
    return <ret>
:: 4
if <bool>:
    <block>
    return <ret>
:: 2
if <bool>:
    return <ret>
elif <bool>:
    <block>
:: 26 needs loop
if <bool>:
    <jump>
:: 14 needs loop
if <bool>:
    <block>
    <jump>
:: 4 keep a:int
if (@a := <int~>) > <int>:
    <block>
:: 2 new x:int keep b:list maybe a:int :: @b = [@a for @x in <iter> if (@a := @x * 3 - <int.>) > 0]
:: 2 maybe a:int
if <bool> and (@a := <int~>) % 2:
    <block>
""")

LOOPS: tuple[Template, ...] = templates("""
:: 12 new i:int loop 6
for @i in range(<small>):
    <loop>
:: 4 new i:int loop 6
for @i in range(<small>, -1, -1):
    <loop>
:: 10 new x:int loop 8
for @x in <iter>:
    <loop>
:: 4 use p:list new x:int loop 12
for @x in list(@p):
    <loop>
:: 2 use p:list new x:int loop 8
for @x in @p[:8]:
    <loop>
    @p.append(@x)
:: 6 new i:int x:int loop 8
for @i, @x in enumerate(<iter>):
    <loop>
:: 2 new i:int x:int loop 8
for @i, @x in enumerate(<iter>, <int>):
    <loop>
:: 4 new x:int y:int loop 6
for @x, @y in zip(<iter>, <iter>):
    <loop>
:: 5 new c:str loop 9
for @c in <str>[:9]:
    <loop>
:: 4 use d:dict new k:str v:int loop 5
for @k, @v in list(@d.items()):
    <loop>
:: 1 use d:dict new k:str loop 5
for @k in @d:
    <loop>
:: 3 use d:dict new k:str loop 5
for @k in sorted(@d):
    @d[@k] -= <int~>
    <loop>
:: 4 use m:nest new r:list x:int loop 15
for @r in @m[:5]:
    for @x in @r[:5]:
        <loop>
:: 3 loop 6
for _ in range(<small>):
    <loop>
:: 6 new x:int loop 8
for @x in <iter>:
    <loop>
else:
    <block>
:: 4 new x:int keep a:int
for @x in <iter>:
    if <bool>:
        @a = @x
        break
else:
    @a = <int~>
:: 10 counter c:int loop 7
@c = <small>
while @c > 0:
    @c -= 1
    <loop>
:: 5 counter c:int loop 7
@c = len(range(<small>))
while @c:
    @c -= 1
    <loop>
else:
    <block>
:: 5 counter c:int loop 6
@c = 0
while @c < 6 and <bool>:
    @c += 1
    <loop>
:: 4 counter c:int loop 6
@c = <int> % 40
while @c > 0:
    @c //= 2
    <loop>
:: 4 counter c:int loop 6
@c = 6
while True:
    @c -= 1
    if @c < 0 or <bool>:
        break
    <loop>
:: 2 use p:list keep a:int
@a = 0
while @p and @p.pop() > <int.>:
    @a += 1
:: 2 counter c:int keep a:int loop 4
@c = 8
while (@a := <int~> - @c) < <int> and @c > 0:
    @c -= 2
    <loop>
:: 2 use p:list keep l:int h:int
@l, @h = 0, len(@p) - 1
while @l < @h:
    @p[@l], @p[@h] = @p[@h], @p[@l]
    @l, @h = @l + 1, @h - 1
""")
