"""What goes into a model: values of `--input` and of a file's own test cases."""
