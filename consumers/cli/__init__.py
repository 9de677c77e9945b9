"""The command line, `tandem`. Commands import what they need when they run, so that help and completion are quick."""


def main() -> None:
    """Entry point of the console script."""
    from consumers.cli.application import app  # noqa: PLC0415 - quick start

    app(prog_name="tandem")
