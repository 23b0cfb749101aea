"""`python -m mcverify`: the command line."""

from mcverify.cli import main

if __name__ == "__main__":
    main()
