"""`python -m farm`."""

from farm.cli.main import main

# A process for work that takes long (farm/worker.py) runs this file again, under another name.
if __name__ == "__main__":
    main()
