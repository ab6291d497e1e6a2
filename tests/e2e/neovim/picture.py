#!/usr/bin/python3
"""usage: picture.py NVIM    Types in a copy of one of Python's packages and draws the screen, when ghost
text first shows and when it is whole, into the SVG file that $KINGLET_PICTURE names. To be run with the
real program:  KINGLET_PICTURE=out.svg run.sh forky picture.py PROGRAM
"""
import json
import os
import pathlib
import shutil
import sys
from xml.sax.saxutils import escape

from screen import Screen

here = pathlib.Path(__file__).parent
CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 18, 12
KEYS = 'return "".join('


def runs(screen, row):
    """Cells of a row, joined while their color is the same: (column, text, color)."""
    joined = []
    for column, (text, highlight) in enumerate(row):
        color = screen.colors.get(highlight, {}).get("foreground", screen.default_colors[0])
        if joined and joined[-1][2] == color:
            start, before, _ = joined[-1]
            joined[-1] = (start, before + text, color)
        else:
            joined.append((column, text, color))
    return joined


def panel(screen, rows, cursor, top):
    """One screen as SVG elements, `top` pixels below the upper edge."""
    foreground, background = screen.default_colors
    width, height = len(rows[0]) * CELL_WIDTH + 2 * MARGIN, len(rows) * CELL_HEIGHT + MARGIN
    yield f'<rect y="{top}" width="{width:.0f}" height="{height}" rx="6" fill="#{background:06x}"/>'
    x, y = MARGIN + cursor[1] * CELL_WIDTH, top + cursor[0] * CELL_HEIGHT + 5
    yield f'<rect x="{x:.1f}" y="{y}" width="2" height="{CELL_HEIGHT}" fill="#{foreground:06x}"/>'
    for i, row in enumerate(rows):
        for column, text, color in runs(screen, row):
            words = text.strip()
            if words:
                x = MARGIN + (column + len(text) - len(text.lstrip())) * CELL_WIDTH
                yield (
                    f'<text x="{x:.1f}" y="{top + (i + 1) * CELL_HEIGHT}" fill="#{color:06x}" '
                    f'textLength="{len(words) * CELL_WIDTH:.1f}">{escape(words)}</text>'
                )


def main():
    shutil.copytree(pathlib.Path(json.__file__).parent, "json")
    command = [sys.argv[1], "--embed", "-i", "NONE", "-u", str(here / "init.lua"), "json/encoder.py"]
    screen = Screen(command, width=100, height=10)
    screen.call("nvim_command", "syntax on | set bg=dark noruler noshowmode noshowcmd laststatus=0")
    screen.lua(
        """vim.fn.append(vim.fn.line('$'), { '', '', 'def encode_all(values):', '    ' })
        vim.cmd('normal! G$')
        local ready = function() return require('kinglet.server').client_of_buffer(1) end
        assert(vim.wait(60000, ready, 5))"""
    )
    seen = []
    screen.on_flush = lambda: seen.append(([list(row) for row in screen.rows], screen.cursor))
    for key in "a" + KEYS:
        screen.type(key)
        # The request follows the key after a short quiet; without one there was ghost text enough.
        asking = "return require('kinglet.session').inspect().asking"
        screen.lua(f"vim.wait(1000, function() {asking} end, 1)")
        while screen.lua(asking):
            pass
    screen.call("nvim_command", "redraw")
    screen.lua("return 0")  # what was drawn comes before this answer
    # The last place where ghost text grew: as typed, as it first showed, and whole.
    for cursor in reversed(list(dict.fromkeys(at for _, at in seen))):
        screens = []
        for rows, at in seen:
            if at == cursor and rows not in screens:
                screens.append(rows)
        if len(screens) >= 3:
            break
    screens = [screens[0], screens[1], screens[-1]]

    step = len(screens[0]) * CELL_HEIGHT + 2 * MARGIN
    parts = [part for i, one in enumerate(screens) for part in panel(screen, one, cursor, i * step)]
    width = len(screens[0][0]) * CELL_WIDTH + 2 * MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{len(screens) * step}" '
        'font-family="monospace" font-size="14" xml:space="preserve">'
    )
    pathlib.Path(os.environ["KINGLET_PICTURE"]).write_text("\n".join([head, *parts, "</svg>"]) + "\n")
    screen.close()


main()
