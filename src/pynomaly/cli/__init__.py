"""What people type. ``main`` answers with a hint where only the base install is there."""

import sys


def main() -> None:
    """Run the command ``pynomaly``."""
    if sys.platform == "win32":
        sys.exit("pynomaly: Windows is not supported; run it on Linux, macOS, or in WSL 2.")
    try:
        from pynomaly.cli.commands import app
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("pynomaly"):
            raise
        sys.exit(
            f"pynomaly: the library {error.name!r} is not installed: this is the SDK alone.\n"
            "Install the server: pip install 'pynomaly-monitoring[server]'"
        )
    app(prog_name="pynomaly")
