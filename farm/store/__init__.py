"""What is kept on disk: run directories, products, programs, artifacts."""
