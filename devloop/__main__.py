"""`python -m devloop` is the `devloop` command."""

from devloop.cli.main import main

if __name__ == "__main__":
    main()
