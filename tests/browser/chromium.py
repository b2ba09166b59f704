"""A real browser, driven over the DevTools protocol by as little code as will do."""

import asyncio
import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import websockets

from benchmarks.processes import end_process

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--window-size=1440,900",
)
PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowRight": 39, "ArrowLeft": 37, " ": 32}


class Page:
    """One tab. `errors` collects what the console, the page and the network complained about."""

    def __init__(self, socket):
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers = {}
        self.errors = []

    async def read(self):
        async for frame in self._socket:
            message = json.loads(frame)
            if "id" in message:
                self._answers.pop(message["id"]).set_result(message)
            else:
                self._note(message["method"], message["params"])

    def _note(self, method, params):
        if method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(str([argument.get("value") for argument in params["args"]]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    async def call(self, method, **params):
        number = next(self._ids)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        async with asyncio.timeout(20):
            answer = await self._answers[number]
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    async def open(
        self, url, *, width=1440, height=900, scheme="light", ready="document.querySelector('#model option')"
    ):
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        await self.shape(width, height)
        await self.scheme(scheme)
        await self.call("Page.navigate", url=url)
        await self.until(f"document.readyState === 'complete' && {ready}")

    async def shape(self, width, height):
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def scheme(self, name):
        features = [{"name": "prefers-color-scheme", "value": name}]
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def js(self, expression):
        """The value of an expression, promises awaited."""
        answer = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description"))
        return answer["result"].get("value")

    async def until(self, expression, timeout_s=15):
        """Wait until an expression is true."""
        ends_s = time.monotonic() + timeout_s
        while time.monotonic() < ends_s:
            if await self.js(f"(() => {{ try {{ return Boolean({expression}) }} catch {{ return false }} }})()"):
                return
            await asyncio.sleep(0.03)
        seen = await self.js("document.body.innerText.slice(0, 1500)")
        raise AssertionError(f"never true: {expression}\nerrors: {self.errors}\npage:\n{seen}")

    async def text(self, selector):
        return await self.js(f"document.querySelector({json.dumps(selector)}).textContent")

    async def click(self, selector):
        """Press the left button in the middle of an element."""
        box = await self.js(
            f"(() => {{ const node = document.querySelector({json.dumps(selector)});"
            "node.scrollIntoView({block: 'nearest'}); const {x, y, width, height} = node.getBoundingClientRect();"
            "return [x + width / 2, y + height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.mouse(kind, *box)

    async def mouse(self, kind, x, y):
        await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def key(self, key, kind="press"):
        """Press (or only `down`/`up`) a key."""
        code = KEYS.get(key, ord(key.upper()) if len(key) == 1 else 0)
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        if kind in ("press", "down"):
            await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        if kind in ("press", "up"):
            await self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    async def write(self, text):
        await self.call("Input.insertText", text=text)

    async def choose(self, selector, value):
        """Set a field as a person would: its value and the events of it."""
        await self.js(
            f"(() => {{ const node = document.querySelector({json.dumps(selector)}); node.value = {json.dumps(value)};"
            "for (const kind of ['input', 'change']) node.dispatchEvent(new Event(kind, {bubbles: true})) })()"
        )

    async def shot(self, path):
        picture = await self.call("Page.captureScreenshot", format="png")
        Path(path).write_bytes(base64.b64decode(picture["data"]))


@contextlib.asynccontextmanager
async def browser(*flags):
    """A new browser with an empty profile and one tab."""
    folder = tempfile.mkdtemp(prefix="rr-chromium-")
    command = [PROGRAM, *FLAGS, f"--user-data-dir={folder}", *flags, "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = await _tab(Path(folder) / "DevToolsActivePort", process)
        async with websockets.connect(address, max_size=None) as socket:
            page = Page(socket)
            reading = asyncio.create_task(page.read())
            try:
                yield page
            finally:
                reading.cancel()
    finally:
        end_process(process, 10)
        for _ in range(30):  # its children write for a moment longer
            shutil.rmtree(folder, ignore_errors=True)
            if not Path(folder).exists():
                break
            await asyncio.sleep(0.1)


async def _tab(port_file, process):
    async with asyncio.timeout(20):
        while not (port_file.exists() and port_file.read_text().count("\n")):
            if process.poll() is not None:
                raise RuntimeError(f"chromium ended at once: {process.returncode}")
            await asyncio.sleep(0.05)
    port = port_file.read_text().split()[0]
    import httpx

    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            tabs = (await client.get(f"http://127.0.0.1:{port}/json")).json()
            for tab in tabs:
                if tab["type"] == "page":
                    return tab["webSocketDebuggerUrl"]
            await asyncio.sleep(0.05)
