"""What `embedded/reader` learns: to select rows, and to answer questions about short texts.

Its families have one mode, a direct answer. Each problem is a text and one question about it in the form of `form.py`,
which is also how the reader is asked afterwards.
"""
