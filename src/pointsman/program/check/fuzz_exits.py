"""The fuzzing grammar of exceptions and `match`."""

from pointsman.program.check.fuzz_template import Template, templates

EXCEPTIONS: tuple[Template, ...] = templates("""
:: 8 keep a:int
try:
    <block>
    @a = <int> // <int>
except ZeroDivisionError:
    @a = <int~>
:: 6 use p:list keep a:int
try:
    @a = @p[<int>]
except IndexError:
    <block>
    @a = <int~>
:: 5 use d:dict new e:exc keep a:int
try:
    @a = @d[<key>]
except KeyError as @e:
    @a = len(str(@e))
else:
    <block>
:: 4 keep a:int
try:
    @a = int(<str>)
except ValueError:
    @a = <int~>
finally:
    <block>
:: 2 new e:exc keep a:int maybe b:str
try:
    @a = int(<str>)
except (ValueError, TypeError) as @e:
    @b = str(@e)
    @a = len(@b)
:: 5
try:
    <block>
except (ValueError, LookupError, ArithmeticError):
    <block>
else:
    <block>
finally:
    <block>
:: 5 new e:exc keep a:str
try:
    <block>
except Exception as @e:
    @a = type(@e).__name__
else:
    @a = <str~>
:: 6 new e:exc keep a:str
try:
    if <bool>:
        raise ValueError(<str>)
    <block>
except ValueError as @e:
    @a = str(@e)
else:
    @a = ''
:: 3 new e:exc keep a:int
try:
    if <bool>:
        raise KeyError(f"k{<int.>}", <int>)
    @a = <int~>
except LookupError as @e:
    @a = len(@e.args)
:: 3
try:
    <block>
finally:
    <block>
:: 5
try:
    if <bool>:
        return <ret>
    <block>
finally:
    <block>
:: 1
try:
    <block>
    return <ret>
except ArithmeticError:
    <block>
finally:
    if <bool>:
        return <ret>
:: 3 keep a:int
try:
    try:
        @a = <int> % <int>
    finally:
        <block>
except ZeroDivisionError:
    @a = <int~>
:: 2 new e:exc g:exc keep a:str
try:
    try:
        <block>
        raise IndexError(<int>)
    except IndexError as @e:
        raise ValueError(<str>) from @e
except ValueError as @g:
    @a = f"{@g}/{type(@g.__cause__).__name__}"
:: 3 new e:exc keep a:int
try:
    assert <bool>, <str>
    @a = <int~>
except AssertionError as @e:
    @a = len(str(@e))
:: 14 needs loop
try:
    <block>
    if <bool>:
        <jump>
finally:
    <block>
:: 7 keep a:int needs loop
try:
    @a = <int> // <int>
except ZeroDivisionError:
    continue
finally:
    <block>
:: 11 needs loop
try:
    if <bool>:
        raise ValueError(<int>)
    <block>
except ValueError:
    <jump>
else:
    <block>
:: 4 keep a:int needs loop
try:
    <block>
    @a = <int> % <int>
finally:
    if <bool>:
        <jump>
:: 2
if <bool> and <bool>:
    raise ValueError(f"bad {<int.>}")
:: 1
if <bool> and <bool>:
    raise KeyError(<str>)
:: 1 :: assert <bool> or <bool> or <bool>, f"{<int.>}"
""")

MATCHES: tuple[Template, ...] = templates("""
:: 5
match <int>:
    case 0 | 1:
        <block>
    case 2:
        <block>
    case -1 | -2:
        <block>
    case _:
        <block>
:: 4 new a:int
match <int> % 5:
    case 0:
        return <ret>
    case @a if @a > 2:
        <block>
    case @a:
        <block>
:: 4 new a:str
match <str>:
    case 'a' | 'abc':
        <block>
    case '':
        <block>
    case @a:
        <block>
:: 4 new a:int b:int
match <tuple>:
    case (0, @a):
        <block>
    case (@a, @b) if @a > @b:
        <block>
    case (@a, *_):
        <block>
    case _:
        <block>
:: 4 new a:int b:list
match <list>:
    case []:
        <block>
    case [@a]:
        <block>
    case [@a, *@b]:
        @b.append(@a)
        <block>
:: 3 new a:int b:dict
match <dict>:
    case {'a': 1}:
        <block>
    case {'a': @a, **@b}:
        <block>
    case _:
        <block>
:: 3 new a:int b:str keep c:int
match <any>:
    case bool():
        @c = 1
    case int(@a) | float(@a):
        @c = 2 + (@a > 0)
    case str() as @b:
        @c = len(@b)
    case None:
        @c = -1
    case [] | [_]:
        @c = -2
    case _:
        @c = 0
:: 3 new a:int
match <int>, <bool>:
    case 0, _:
        <block>
    case @a, True if @a < <int>:
        <block>
    case @a, False:
        <block>
""")
