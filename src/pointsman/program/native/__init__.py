"""A second back end: numeric programs as machine code, where llvmlite is installed. Importing this has no effect."""

from pointsman.program.native.function import NativeFunction, NotNative, native_function

__all__ = ["NativeFunction", "NotNative", "native_function"]
