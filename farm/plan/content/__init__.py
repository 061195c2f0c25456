"""What is in the files that a user names: models and inputs."""
