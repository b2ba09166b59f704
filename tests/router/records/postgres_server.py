"""A PostgreSQL of the tests' own: a folder, a Unix socket, no port, no trust without the password."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

PASSWORD = "quite-secret-word"
FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
BINARIES = FOUND[-1].parent if FOUND else None
ACCOUNT = "postgres" if os.getuid() == 0 else None  # PostgreSQL refuses to be root
MISSING = BINARIES is None and "PostgreSQL is not installed (apt-get install postgresql)"


class PostgresServer:
    """`start` and `stop` as often as needed; rows survive."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="rr-pg-", dir="/tmp"))  # short: a socket's path has few characters
        self.process = None
        words = self.folder / "words"
        words.write_text(PASSWORD)
        if ACCOUNT:
            shutil.chown(self.folder, ACCOUNT)
            shutil.chown(words, ACCOUNT)
        options = ["--username=router", f"--pwfile={words}", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"]
        self._run("initdb", "-D", str(self.folder / "d"), *options, "--locale=C.UTF-8").communicate(timeout=60)

    def address(self, password=PASSWORD, user="router", database="postgres"):
        return f"postgresql://{user}:{password}@/{database}?host={self.folder}"

    def start(self):
        settings = ("listen_addresses=", f"unix_socket_directories={self.folder}", "fsync=off", "shared_buffers=8MB")
        flags = [flag for setting in settings for flag in ("-c", setting)]
        self.process = self._run("postgres", "-D", str(self.folder / "d"), *flags)
        until_s = time.monotonic() + 20
        while True:
            try:
                psycopg.connect(self.address()).close()
            except psycopg.OperationalError:
                assert self.process.poll() is None
                assert time.monotonic() < until_s
                time.sleep(0.02)
            else:
                return

    def stop(self, how=signal.SIGINT):
        """Cut every connection and end; `SIGQUIT` does not even write what is in memory."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(20)
            self.process = None

    def remove(self):
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def asked(self, query, database="postgres"):
        with psycopg.connect(self.address(database=database), autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def fresh(self, name):
        """A new, empty database."""
        self.asked(f'CREATE DATABASE "{name}"')
        return name

    def _run(self, program, *arguments):
        drop = ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups"] if ACCOUNT else []
        command = [*drop, str(BINARIES / program), *arguments]
        return subprocess.Popen(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
