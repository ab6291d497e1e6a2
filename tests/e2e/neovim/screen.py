"""A Neovim whose screen can be read: `nvim --embed` with this process as its user interface.

The screen is looked at where a person sees it, at each flush: what Neovim draws and draws over before
that never reaches an eye. Needs Debian's python3-msgpack.
"""
import select
import subprocess

import msgpack


class Screen:
    """One Neovim and its grid of characters; `flushes` holds the rows of each screen seen so far."""

    def __init__(self, command, width=72, height=16, patience_s=60):
        self.patience_s = patience_s
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape", strict_map_key=False)
        self.next_id = 0
        self.rows, self.colors, self.cursor = [], {}, (0, 0)
        self.default_colors = (0xFFFFFF, 0x000000)
        self.flushes = []
        self.on_flush = lambda: None
        self.call("nvim_ui_attach", width, height, {"ext_linegrid": True, "rgb": True})

    def call(self, method, *arguments):
        """Calls an API function, taking in what is drawn in the meantime."""
        self.next_id += 1
        self.process.stdin.write(msgpack.packb([0, self.next_id, method, arguments]))
        self.process.stdin.flush()
        while True:
            message = self.read()
            if message[0] == 1 and message[1] == self.next_id:
                if message[2]:
                    raise RuntimeError(f"{method}: {message[2]}")
                return message[3]

    def lua(self, code, *arguments):
        return self.call("nvim_exec_lua", code, list(arguments))

    def read(self):
        """The next message; a redraw is taken in on the way."""
        while True:
            for message in self.unpacker:
                if message[0] == 2 and message[1] == "redraw":
                    for event in message[2]:
                        for arguments in event[1:]:
                            self.draw(event[0], arguments)
                return message
            ready, _, _ = select.select([self.process.stdout], [], [], self.patience_s)
            chunk = self.process.stdout.read1(65536) if ready else b""
            if not chunk:
                raise RuntimeError("Neovim ended" if ready else "Neovim has nothing more to say")
            self.unpacker.feed(chunk)

    def draw(self, name, arguments):
        if name == "grid_resize":
            _, width, height = arguments
            self.rows = [[(" ", 0)] * width for _ in range(height)]
        elif name == "grid_clear":
            self.rows = [[(" ", 0)] * len(row) for row in self.rows]
        elif name == "grid_cursor_goto":
            self.cursor = tuple(arguments[1:3])
        elif name == "grid_line":
            row, column, highlight = arguments[1], arguments[2], 0
            for cell in arguments[3]:
                highlight = cell[1] if len(cell) > 1 else highlight
                for _ in range(cell[2] if len(cell) > 2 else 1):
                    self.rows[row][column] = (cell[0], highlight)
                    column += 1
        elif name == "grid_scroll":
            _, top, bottom, left, right, n_rows, _ = arguments
            rows = range(top, bottom - n_rows) if n_rows > 0 else range(bottom - 1, top - n_rows - 1, -1)
            for row in rows:
                self.rows[row][left:right] = self.rows[row + n_rows][left:right]
        elif name == "hl_attr_define":
            self.colors[arguments[0]] = arguments[1]
        elif name == "default_colors_set":
            self.default_colors = tuple(arguments[:2])
        elif name == "flush":
            self.flushes.append(self.lines())
            self.on_flush()

    def lines(self):
        return ["".join(text for text, _ in row).rstrip() for row in self.rows]

    def color(self, row, column):
        """Foreground color of a cell, as 0xRRGGBB."""
        attributes = self.colors.get(self.rows[row][column][1], {})
        return attributes.get("foreground", self.default_colors[0])

    def until(self, what, holds):
        """Takes in what is drawn until a flushed screen satisfies `holds`."""
        while not (self.flushes and holds(self.flushes[-1])):
            try:
                self.read()
            except RuntimeError as problem:
                raise RuntimeError(f"{what} never came; the screen was:\n" + "\n".join(self.lines())) from problem
        return self.flushes[-1]

    def type(self, keys):
        self.call("nvim_input", keys)

    def close(self):
        try:
            self.call("nvim_command", "qall!")
        except (RuntimeError, BrokenPipeError):
            pass  # it left before it could answer
        self.process.wait()
