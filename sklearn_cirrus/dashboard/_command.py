"""What ``sklearn-cirrus dashboard`` does."""

import webbrowser
from pathlib import Path

from . import start_dashboard


def add_arguments(parser):
    """Describe the options."""
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument(
        "--journal",
        type=Path,
        metavar="DIR",
        help="folder of the journals (default: CIRRUS_JOURNAL, else sklearn-cirrus/runs in "
        "XDG_STATE_HOME or ~/.local/state)",
    )
    parser.add_argument("--browser", action="store_true", help="open the page in a browser")


def run_dashboard(options):
    """Serve until interrupted."""
    with start_dashboard(options.journal, options.port) as server:
        print(server.url, flush=True)
        if options.browser:
            webbrowser.open(server.url)
        server.wait()
    return 0
