"""The fuzzing grammar of functions: closures inside a function and helpers beside it.

Every recursion tests `not 0 < n < limit` first, so that neither a huge nor a NaN argument makes it run away.
"""

from pointsman.program.check.fuzz_template import HelperTemplate, Template, templates

CLOSURES: tuple[Template, ...] = templates("""
:: 4 new f:fs i:int g:fn keep a:list
@f = [lambda: @i * 2 + <int.> for @i in range(3)]
@a = [@g() for @g in @f]
:: 3 new f:fs i:int x:int g:fn keep a:int
@f = [lambda @x, @i=@i: @x - @i for @i in range(3)]
@a = sum(@g(<int>) for @g in @f)
:: 3 new f:fs i:int x:int g:fn n:int keep a:int
@f = []
for @i in range(<small>):
    @f.append(lambda @x: @x + @i)
@a = sum(@g(@n) for @n, @g in enumerate(@f))
:: 3 use p:int new f:fn keep a:int
@f = lambda: @p
@p = <int~>
@a = @f() - @p
:: 5 use p:int new f:fn keep a:int needs cold
def @f():
    nonlocal @p
    @p += <int.>
    return @p
@a = @f() - @f() * 2 + @p
:: 3 use p:list new f:fn x:int y:int keep a:list
def @f(@x):
    @p.append(@x)
    return len(@p)
@a = [@f(@y) for @y in <iter>]
:: 4 new f:fn g:fn h:fn s:int d:int keep a:int b:int
def @f(@s):
    def @g(@d=<int.>):
        nonlocal @s
        @s += @d
        return @s
    return @g
@h = @f(<int~>)
@a, @b = @h(), @h(<int~>) - @h(1)
:: 3 new f:fn n:int keep a:int loop 9
def @f(@n):
    if not 0 < @n < 9:
        return <int>
    return (@n + 2 * @f(@n - 1)) % 997
@a = @f(<int>)
:: 3 new f:fn x:int r:tuple k:int o:dict keep a:int
def @f(@x, *@r, @k=<int.>, **@o):
    return @x + sum(@r) * @k + len(@o)
@a = @f(<int~>, <int~>, <int~>) + @f(<int~>, z=1)
:: 2 use p:int new f:fn keep a:int
def @f():
    @p = 3
    return @p
@a = @f() + @p
:: 3 new f:fn x:int y:int keep a:int
def @f(@x):
    return (lambda @y: @x - @y) if <bool> else (lambda @y: @y)
@a = @f(<int~>)(<int~>)
:: 3 new f:fs x:int keep a:int
@f = {'a': lambda @x: @x + 1, 'b': lambda @x: -@x}
@a = @f.get(<key>, abs)(<int~>)
:: 3 new f:fn g:fn x:int y:int keep a:int
def @f(@g, @x):
    return @g(@g(@x))
@a = @f(lambda @y: @y - <int.>, <int~>)
:: 2 new f:fn keep a:int b:int
@a = <int~>
def @f():
    return @b
@b = @a - 1
@a = @f()
""")

# What each of the helpers below takes, how many defaults it has, whether it takes `*args`.
SIGNATURES: tuple[tuple[tuple[str, ...], int, bool], ...] = (
    (("int", "int"), 1, False),
    (("int",), 0, False),
    (("int",), 0, False),
    (("list",), 0, False),
    (("int",), 0, True),
    (("int", "list"), 0, False),
    (("list", "int"), 1, False),
)
HELPERS: tuple[HelperTemplate, ...] = tuple(
    HelperTemplate(template, *signature)
    for template, signature in zip(
        templates("""
:: 4 new s:int counter n:int loop 9
def @f(@n: int, @s: int = 1) -> int:
    if not 0 < @n < 9:
        return <int>
    <block>
    return (@s + 3 * @f(@n - 1, <int>)) % 9973
:: 4 counter n:int loop 40
def @f(@n):
    return @n if not 0 < @n < 7 else (@f(@n - 1) - @f(@n - 2) + <int>) % 997
:: 4 counter n:int g:fn loop 9
def @f(@n: int) -> bool:
    return @n < 9 and @g(@n) if @n > 0 else <bool>

def @g(@n):
    return not @f(@n - 1)
:: 4 new p:list a:int b:list loop 9
def @f(@p: list[int]) -> int:
    if not @p:
        return <int>
    @a, *@b = @p[:7]
    return (@a - 2 * @f(@b)) % 9973
:: 4 new x:int r:tuple y:int loop 4
def @f(@x, *@r):
    for @y in @r:
        @x = max(@x - 1, @y)
    <block>
    return <int~>
:: 4 new x:int p:list
def @f(@x: int, @p=None) -> int:
    if @p is None:
        @p = []
    @p.append(@x)
    <block>
    return len(@p) + @p[0]
:: 4 new p:list x:int l:int h:int n:int loop 6
def @f(@p: list[int], @x: int = 0) -> int:
    @l, @h = 0, len(@p)
    while @l < @h:
        @n = (@l + @h) // 2
        if @p[@n] < @x:
            @l = @n + 1
        else:
            @h = @n
    return @l
"""),
        SIGNATURES,
        strict=True,
    )
)
