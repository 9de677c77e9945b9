"""`python -m consumers.cli`: the same as `tandem`."""

from consumers.cli import main

if __name__ == "__main__":
    main()
