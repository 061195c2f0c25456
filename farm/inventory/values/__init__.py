"""Values of files and options that are more than a text, each read in one place with what is wrong of it."""
