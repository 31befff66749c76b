"""Sets everything up in a folder .venv beside this file, then opens JupyterLab or runs the tests.

    python start.py                      open your copy of the lessons in JupyterLab
    python start.py lab --port 9999      the same, with options for JupyterLab
    python start.py reset 03             bring lesson 3 back, and keep yours beside it
    python start.py test                 run all tests (with options for pytest)
    python start.py test --quick         those that start no process: no lesson, no browser
    python start.py notebooks            run all notebooks and store their outputs
    python start.py setup                only install, tests included (before you go offline)
    python start.py wheels FOLDER        make a folder for computers without internet (--help: more)
    python start.py --offline FOLDER     install from that folder only; also after lab, test, ...

Your copy is the folder my_lessons. What you change in it is never overwritten.
It needs Python 3.11 or newer and, the first time, the network or such a folder. Nothing is
installed outside .venv.
"""
# This file must parse on every Python since 3.6, so that an old one can be told that it is.

import hashlib
import importlib
import importlib.util
import os
import platform
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

OLDEST = (3, 11)


def too_old(found, executable):
    """What to tell this version of Python, or ``None`` if it is new enough."""
    if tuple(found[:2]) >= OLDEST:
        return None
    cure = {
        "win32": "install it with: winget install Python.Python.3.13, then run: py -3.13 start.py",
        "darwin": "install it with: brew install python@3.13, then run: python3.13 start.py",
    }.get(
        sys.platform,
        "install it (Debian, Ubuntu: sudo apt install python3 python3-venv), then run start.py "
        "with it, for example: python3.13 start.py",
    )
    return (
        f"This is Python {found[0]}.{found[1]} ({executable}). "
        f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed.\n  What to do: {cure}"
    )


if too_old(sys.version_info, sys.executable):
    sys.exit(too_old(sys.version_info, sys.executable))

ROOT = Path(__file__).resolve().parent
FIRST_LESSON = "my_lessons/00_start_here.ipynb"
TASKS = ("lab", "reset", "test", "notebooks", "setup", "wheels")
INSTALLER = "uv>=0.9"
PARALLEL = ("-n", "4")  # on two cores, too: lessons wait for their mock most of the time
QUICK = ("-n", "3", "-m", "not process", "--hypothesis-profile=quick")  # these wait less

# Of the variables of pip and uv only these count: they say how packages are reached. All others say
# where to install, what, or whether at all, and start.py decides that.
HOW_TO_REACH = {
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST", "PIP_PROXY"),
    *("PIP_CERT", "PIP_CLIENT_CERT", "PIP_KEYRING_PROVIDER", "PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT"),
    *("PIP_RETRIES", "PIP_CACHE_DIR", "PIP_NO_CACHE_DIR", "PIP_CONFIG_FILE"),
    *("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
    *("UV_INDEX_STRATEGY", "UV_KEYRING_PROVIDER", "UV_INSECURE_HOST", "UV_SYSTEM_CERTS"),
    *("UV_NATIVE_TLS", "UV_HTTP_TIMEOUT", "UV_HTTP_CONNECT_TIMEOUT", "UV_REQUEST_TIMEOUT"),
    *("UV_HTTP_RETRIES", "UV_CONCURRENT_DOWNLOADS", "UV_CACHE_DIR", "UV_NO_CACHE"),
    *("UV_CONFIG_FILE", "UV_OFFLINE", "UV_EXCLUDE_NEWER"),
}
# An index of your own, NAME, has its password in UV_INDEX_NAME_PASSWORD.
CREDENTIALS = re.compile("UV_INDEX_.+_(USERNAME|PASSWORD)")
OTHER_PYTHON = {"PYTHONPATH", "PYTHONHOME"}  # would put other packages before those in .venv


class SetupError(Exception):
    """Something went wrong that the reader can fix: what happened, and what to do."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what}\n  What to do: {cure}")


UNPACK = "unpack the whole zip file (or clone the repository), then run the start.py in it."
OFFLINE_CURE = "fill the folder again for these lessons: python start.py wheels FOLDER."
ONLINE_CURE = """\
if it names a connection or a time-out, there was no network: connect, then run start.py again.
  What was downloaded is kept. Behind a company's proxy, set HTTPS_PROXY.
  If it names a certificate, set SSL_CERT_FILE to the file of your company's certificates."""
ROOM = (
    "\n  If the disk is full, free 2 GB."
    "\n  If a path is too long on Windows, use a short folder, such as C:\\holysheep."
)


def say(text: str) -> None:
    print(text, flush=True)


def run(command: list[str], env: dict[str, str] | None = None) -> int:
    """Run a command in the project's folder; a Ctrl-C is its to handle, we wait for its end."""
    interrupts: list[int] = []
    ends: list[int] = []
    started: list[subprocess.Popen[bytes]] = []

    def end(number: int, _: object) -> None:
        ends.append(number)
        for process in started:
            process.terminate()

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        signal.signal(signal.SIGTERM, end)  # first: no command is left behind
        with subprocess.Popen(command, cwd=ROOT, env=env) as process:
            started.append(process)
            if ends:  # while it was started
                process.terminate()
            if before[signal.SIGINT] != signal.SIG_IGN:  # as it is in a shell's background
                # An exception out of wait() could lose the exit code of a command that has ended.
                signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
            code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if interrupts and code:
        raise KeyboardInterrupt
    return code


def tool(module: str, function: str, *arguments):
    """Call a function of a module in tools/offline/, which needs no more than this file does."""
    if str(ROOT) not in sys.path:  # as with PYTHONSAFEPATH
        sys.path.insert(0, str(ROOT))
    try:
        found = importlib.import_module(f"tools.offline.{module}")
    except ImportError:
        raise SetupError(
            f"There is no {Path('tools', 'offline', module)}.py in {ROOT}.", UNPACK
        ) from None
    try:
        return getattr(found, function)(*arguments)
    except found.FolderError as error:
        raise SetupError(error.what, error.cure) from None


class Environment:
    """The folder .venv, and the stamp in it that tells whether all is installed."""

    def __init__(
        self, root: Path = ROOT, on: str = sys.platform, run=run, offline: Path | None = None
    ) -> None:
        self.root, self.run, self.offline, self.alone = root, run, offline, []
        self.folder = root / ".venv"
        inside = ("Scripts", "python.exe") if on == "win32" else ("bin", "python")
        self.python = str(self.folder.joinpath(*inside))
        self.copy = [self.python, "-m", "holysheep_helpers.lessons"]  # makes or renews my_lessons
        self.stamp = self.folder / "holysheep-stamp.txt"
        places = {"base": str(self.folder), "platbase": str(self.folder)}
        self.place = Path(sysconfig.get_path("purelib", "venv", places))  # its packages

    def wanted(self) -> list[str]:
        """What the stamp must say: this Python, this folder, this list of dependencies."""
        listed = hashlib.sha256((self.root / "pyproject.toml").read_bytes()).hexdigest()
        return [f"{platform.python_version()} {platform.machine()}", str(self.root), listed]

    def stored(self) -> list[str]:
        return self.stamp.read_text("utf-8").splitlines() if self.stamp.is_file() else []

    def works(self) -> bool:
        """Whether .venv's Python runs and finds the project."""
        command = [self.python, "-I", "-c", "import holysheep_helpers"]
        try:
            return subprocess.run(command, capture_output=True, timeout=60).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False

    def packages(self) -> set[str]:
        """What is in .venv's folder of packages, without the files that name a version."""
        found = {path.name for path in self.place.iterdir()} if self.place.is_dir() else set()
        return {name for name in found if not name.endswith((".dist-info", "__pycache__"))}

    def whole(self) -> bool:
        """Whether .venv works and has every package that was installed."""
        return self.works() and self.packages().issuperset(self.stored()[4:])

    def ready(self, tests: bool) -> bool:
        stored = self.stored()
        complete = stored[3:4] == ["tests"] or (stored[3:4] == ["lessons"] and not tests)
        return complete and stored[:3] == self.wanted() and self.whole()

    def prepare(self, tests: bool) -> None:
        """Make or repair .venv and install what is missing; at once if nothing is."""
        self.check_folder()
        if self.ready(tests):
            return
        tests = tests or self.stored()[3:4] == ["tests"]
        if self.offline:
            self.alone = tool("wheels", "check", self.offline, self.root, tests)
        source = "takes all packages from your folder" if self.offline else "needs the network"
        say(f"Setting up. The first time, this takes a minute or two and {source}.")
        if self.stored()[:2] != self.wanted()[:2] or not self.whole():
            self.make()
        self.stamp.unlink(missing_ok=True)
        self.install(tests)
        if not self.works():  # a settings file of pip or uv can say where, as variables could
            raise SetupError(
                f"The packages were installed, but not into {self.folder}.",
                "remove target, prefix, root and similar lines from the settings of pip and uv "
                "(pip config list; uv.toml), then run start.py again.",
            )
        stamp = [*self.wanted(), "tests" if tests else "lessons", *sorted(self.packages())]
        self.stamp.write_text("\n".join(stamp) + "\n", "utf-8")
        say("Everything is installed.")

    def check_folder(self) -> None:
        if not (self.root / "pyproject.toml").is_file():
            raise SetupError(f"There is no pyproject.toml beside start.py, in {self.root}.", UNPACK)
        try:
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise SetupError(
                f"This folder can't be written: {self.root} ({error.strerror or error}).",
                "copy the whole folder to a place of your own, such as a new folder in your home "
                "folder (not in a zip file, Program Files or OneDrive), and run start.py there.",
            ) from None
        here, real = os.path.realpath(self.root), os.path.realpath(self.folder)
        if os.path.normcase(real) != os.path.normcase(os.path.join(here, ".venv")):
            raise SetupError(  # a junction of Windows is no symlink, and yet leads elsewhere
                f"{self.folder} is a link to {real}. start.py deletes what is in "
                "the folder .venv when it makes a new one, and does not do that elsewhere.",
                "delete the link (not the folder that it leads to), then run start.py again.",
            )
        found = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
        signs = {"pyvenv.cfg", "bin", "Scripts", self.stamp.name}
        if (found and not found & signs) or self.folder.is_file():
            raise SetupError(
                f"{self.folder} exists, but is not a Python environment.",
                "move it away or delete it, then run start.py again.",
            )

    def make(self) -> None:
        missing = [name for name in ("venv", "ensurepip") if not importlib.util.find_spec(name)]
        if missing:
            version = "{}.{}".format(*sys.version_info)
            raise SetupError(
                f"This Python came without its module {' and '.join(missing)}.",
                f"Debian, Ubuntu: sudo apt install python3-venv (or python{version}-venv); "
                "elsewhere install Python again, with all its parts. Then run start.py again.",
            )
        say(f"Making .venv with Python {platform.python_version()} ...")
        python = getattr(sys, "_base_executable", "") or sys.executable  # not .venv's own
        command = [python, "-m", "venv", "--clear", str(self.folder)]
        if self.run(command, installing(os.environ)):
            raise SetupError(
                f"Python could not make the folder {self.folder}; its own message is above.",
                "close JupyterLab and terminals that still use it, check that the disk is not "
                "full, delete the folder .venv, then run start.py again.",
            )

    def install(self, tests: bool) -> None:
        env = {"UV_SYSTEM_CERTS": "1"}  # a company's certificate is in the system's store, mostly
        env |= installing(os.environ, HOW_TO_REACH if not self.offline else ())
        say("Installing the packages ...")
        group = ["--group", "dev"] if tests else []
        pip = [self.python, "-m", "pip", "install", "--quiet"]
        uv = [self.python, "-m", "uv", "pip", "install", "--python", self.python]
        if self.offline:
            env |= {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1", "UV_OFFLINE": "1"}
        for what, command in (
            ("The installer uv", [*pip, *self.alone, INSTALLER]),
            ("The packages", [*uv, *self.alone, "--editable", ".", *group]),
        ):
            if self.run(command, env):
                raise SetupError(
                    f"{what} could not be installed; the reason is above.",
                    (OFFLINE_CURE if self.offline else ONLINE_CURE) + ROOM,
                )
        # JupyterLab's question about news would cover the first lesson; your own settings win.
        settings = self.folder / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(
            '{"@jupyterlab/apputils-extension:notification": '
            '{"fetchNews": "false", "checkForUpdates": false}}\n',
            "utf-8",
        )
        say("Looking for fonts ...")  # Matplotlib's list of fonts, once, rather than in a lesson
        self.run([self.python, "-c", "import matplotlib.font_manager"], env)

    def command(self, task: str, extra: list[str], as_root: bool) -> list[str]:
        """The command line of a task, for this environment's Python."""
        if task == "test":
            own = [option for option in extra if option != "--quick"]
            return [self.python, "-m", "pytest", *(PARALLEL if own == extra else QUICK), *own]
        if task == "notebooks":
            return [self.python, str(self.root / "tools" / "notebooks.py"), *extra]
        if task == "reset":
            return [*self.copy, "reset", *extra]
        lab = [self.python, "-m", "jupyterlab", f"--ServerApp.root_dir={self.root}"]
        lab.append(f"--LabApp.default_url=/lab/tree/{FIRST_LESSON}")
        return lab + (["--allow-root"] if as_root else []) + extra


def installing(environ, kept=HOW_TO_REACH) -> dict[str, str]:
    """The variables for pip and uv: of their own and Python's, only the ``kept`` ones."""
    env = {
        name: value
        for name, value in environ.items()
        if name in kept
        or (kept and CREDENTIALS.fullmatch(name))
        or not (name.startswith(("PIP_", "UV_")) or name in OTHER_PYTHON)
    }
    return env | {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def loopback_past_proxies(environ: dict[str, str]) -> dict[str, str]:
    """The same variables, with this computer's own address left out of any proxy."""
    known = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    names = ",".join(filter(None, [known, "127.0.0.1", "localhost"]))
    return {**environ, "NO_PROXY": names, "no_proxy": names}


def split(arguments: list[str]) -> tuple[str, list[str], Path | None]:
    """The task, the options for it, and the folder to install from (``None``: the network)."""
    rest, offline = list(arguments), None
    for at, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name == "--offline":
            value = value if equals else "".join(arguments[at + 1 : at + 2])
            if not value or value in TASKS or value.startswith("-"):
                raise SetupError(
                    "--offline was given without a folder.",
                    "name the folder that start.py wheels made: python start.py --offline FOLDER.",
                )
            offline = Path(os.path.expanduser(value)).resolve()
            del rest[at : at + (1 if equals else 2)]
            break
    task = rest.pop(0) if rest and not rest[0].startswith("-") else "lab"
    if task not in TASKS:
        raise SetupError(
            f"start.py has no task called {task!r}.",
            f"run python start.py alone, or with one of: {', '.join(TASKS)}.",
        )
    return task, rest, offline


def main(arguments: list[str]) -> int:
    if "--help" in arguments[:1] or "-h" in arguments[:1]:
        say((__doc__ or "").strip())
        return 0
    try:
        task, extra, offline = split(arguments)
        environment = Environment(offline=offline)
        if task == "wheels":
            options = tool("filling", "options", extra)
            environment.prepare(tests=False)
            env = installing(os.environ)
            tool("filling", "fill", options, ROOT, environment.python, INSTALLER, env)
            return 0
        environment.prepare(tests=task not in ("lab", "reset"))
        env = {name: v for name, v in os.environ.items() if name not in OTHER_PYTHON}
        env = loopback_past_proxies(env)
        if task in ("lab", "setup") and run(environment.copy, env):
            return 1
        if task == "setup":
            say("Ready. Next: python start.py")
            return 0
        if task == "lab":
            say("Opening JupyterLab. To stop it, press Ctrl-C here twice.")
        command = environment.command(task, extra, getattr(os, "geteuid", lambda: 1)() == 0)
        return run(command, env)
    except SetupError as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run start.py again whenever you like.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
