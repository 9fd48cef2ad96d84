"""LLVM text of arithmetic as Python's, on 64-bit ints and doubles; how to read it stands in prelude.py."""

from __future__ import annotations

from typing import Final

__all__ = ["ARITHMETIC"]

ARITHMETIC: Final = """
define internal i64 @floordiv(i64 %a, i64 %b) alwaysinline {
  %q = sdiv i64 %a, %b
  %r = srem i64 %a, %b
  %x = xor i64 %r, %b
  %n = icmp slt i64 %x, 0
  %z = icmp ne i64 %r, 0
  %c = and i1 %n, %z
  %d = sext i1 %c to i64
  %s = add i64 %q, %d
  ret i64 %s
}
define internal i64 @mod(i64 %a, i64 %b) alwaysinline {
  %r = srem i64 %a, %b
  %x = xor i64 %r, %b
  %n = icmp slt i64 %x, 0
  %z = icmp ne i64 %r, 0
  %c = and i1 %n, %z
  %d = select i1 %c, i64 %b, i64 0
  %s = add i64 %r, %d
  ret i64 %s
}
define internal { i64, i1 } @pow(i64 %base, i64 %exponent) {
entry:
  %bad = icmp slt i64 %exponent, 0
  br i1 %bad, label %fail, label %head
head:
  %b = phi i64 [ %base, %entry ], [ %b2, %square ]
  %e = phi i64 [ %exponent, %entry ], [ %h, %square ]
  %r = phi i64 [ 1, %entry ], [ %r2, %square ]
  %done = icmp eq i64 %e, 0
  br i1 %done, label %end, label %step
step:
  %odd = trunc i64 %e to i1
  %f = select i1 %odd, i64 %b, i64 1
  %m = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %r, i64 %f)
  %r2 = extractvalue { i64, i1 } %m, 0
  %o = extractvalue { i64, i1 } %m, 1
  br i1 %o, label %fail, label %halve
halve:
  %h = lshr i64 %e, 1
  %last = icmp eq i64 %h, 0
  br i1 %last, label %finish, label %more
more:
  %s = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %b, i64 %b)
  %p = extractvalue { i64, i1 } %s, 1
  br i1 %p, label %fail, label %square
square:
  %b2 = extractvalue { i64, i1 } %s, 0
  br label %head
finish:
  %v = insertvalue { i64, i1 } zeroinitializer, i64 %r2, 0
  ret { i64, i1 } %v
end:
  %w = insertvalue { i64, i1 } zeroinitializer, i64 %r, 0
  ret { i64, i1 } %w
fail:
  ret { i64, i1 } { i64 0, i1 true }
}
define internal { double, i1 } @exact(i64 %i) alwaysinline {
  %s = add i64 %i, 9007199254740992
  %o = icmp ugt i64 %s, 18014398509481984
  %d = sitofp i64 %i to double
  %v = insertvalue { double, i1 } zeroinitializer, double %d, 0
  %w = insertvalue { double, i1 } %v, i1 %o, 1
  ret { double, i1 } %w
}
define internal i1 @infinite(double %x) alwaysinline {
  %z = fsub double %x, %x
  %c = fcmp uno double %z, %z
  ret i1 %c
}
define internal { i64, i1 } @to_int(double %x) alwaysinline {
  %low = fcmp oge double %x, 0xC3E0000000000000
  %high = fcmp olt double %x, 0x43E0000000000000
  %in = and i1 %low, %high
  %safe = select i1 %in, double %x, double 0.0
  %i = fptosi double %safe to i64
  %bad = xor i1 %in, true
  %v = insertvalue { i64, i1 } zeroinitializer, i64 %i, 0
  %w = insertvalue { i64, i1 } %v, i1 %bad, 1
  ret { i64, i1 } %w
}
; float % float and float // float as CPython's _float_div_mod computes them; the divisor is not zero
define internal double @float_mod(double %a, double %b) {
  %m = call double $fmod(double %a, double %b)
  %some = fcmp une double %m, 0.0
  %bn = fcmp olt double %b, 0.0
  %mn = fcmp olt double %m, 0.0
  %differ = xor i1 %bn, %mn
  %moved = fadd double %m, %b
  %r = select i1 %differ, double %moved, double %m
  %zero = call double @llvm.copysign.f64(double 0.0, double %b)
  %s = select i1 %some, double %r, double %zero
  ret double %s
}
define internal double @float_floordiv(double %a, double %b) {
  %m = call double $fmod(double %a, double %b)
  %difference = fsub double %a, %m
  %q = fdiv double %difference, %b
  %some = fcmp une double %m, 0.0
  %bn = fcmp olt double %b, 0.0
  %mn = fcmp olt double %m, 0.0
  %differ = xor i1 %bn, %mn
  %less = and i1 %some, %differ
  %q1 = fsub double %q, 1.0
  %d = select i1 %less, double %q1, double %q
  %f = call double $floor(double %d)
  %rest = fsub double %d, %f
  %up = fcmp ogt double %rest, 0.5
  %f1 = fadd double %f, 1.0
  %g = select i1 %up, double %f1, double %f
  %whole = fdiv double %a, %b
  %zero = call double @llvm.copysign.f64(double 0.0, double %whole)
  %nonzero = fcmp une double %d, 0.0
  %s = select i1 %nonzero, double %g, double %zero
  ret double %s
}
"""
