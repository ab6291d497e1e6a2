#!/usr/bin/python3
"""usage: screen_test.py NVIM    What a person sees while ghost text grows and while one types along:
no flushed screen ever lacks it, shows a part twice, or goes back."""
import os
import pathlib
import sys

from screen import Screen

here = pathlib.Path(__file__).parent
PATIENCE_S = int(os.environ.get("KINGLET_PATIENCE_S", 60))
TEXT = ["d", "d(int", "d(int a, ", "d(int a, int b);"]


def check(what, holds):
    print(("ok   " if holds else "FAIL ") + what)
    if not holds:
        sys.exit(1)


def server(screen, method, params):
    screen.lua(
        """local method, params = ...
        local client = require('kinglet.server').client_of_buffer(vim.api.nvim_get_current_buf())
        require('kinglet.compat').call(client, 'notify', method, params)""",
        method,
        params,
    )


def release(screen, gate):
    """Opens a gate of the server once a request stands there."""
    screen.lua(
        """local gate = ...
        local bufnr = vim.api.nvim_get_current_buf()
        local client = require('kinglet.server').client_of_buffer(bufnr)
        local function waits()
          local answer = require('kinglet.compat').call(
            client, 'request_sync', 'test/received', vim.empty_dict(), 30000, bufnr)
          return vim.tbl_contains(answer.result.waiting, gate)
        end
        assert(vim.wait(30000, waits, 5))""",
        gate,
    )
    server(screen, "test/release", {"gate": gate})


def grows_and_shrinks(screen, path):
    steps = []
    for i, text in enumerate(TEXT):
        steps += [{"gate": str(i)}, {"stream": {"itemId": "1", "version": 1, "insertText": text}}]
    steps += [{"gate": "end"}, {"result": {"items": [{"insertText": TEXT[-1]}]}}]
    server(screen, "test/rules", {"rules": [{"before": "int ad", "steps": steps}]})

    screen.type("iint ad")
    screen.until("the typed text", lambda rows: rows[0] == "int ad")
    screen.flushes.clear()
    for i, text in enumerate(TEXT):
        release(screen, str(i))
        screen.until(f"'{text}'", lambda rows, text=text: rows[0] == ("int ad" + text).rstrip())
    release(screen, "end")
    seen = [rows[0] for rows in screen.flushes]
    check("ghost text grows: " + " | ".join(dict.fromkeys(seen)), len(set(seen)) >= len(TEXT))
    check("and never goes back", all(b.startswith(a) for a, b in zip(seen, seen[1:])))
    check("in a color of its own", screen.color(0, 6) != screen.color(0, 5))

    whole = "int ad" + TEXT[-1]
    screen.flushes.clear()
    for key in "d(int a":
        column = screen.cursor[1]
        screen.type(key)
        screen.until(f"the cursor behind '{key}'", lambda _, column=column: screen.cursor[1] > column)
    wrong = {rows[0] for rows in screen.flushes} - {whole}
    check(f"typing along, {len(screen.flushes)} screens show the same line", not wrong or print(wrong))

    screen.flushes.clear()
    screen.type("<Tab>")
    screen.until("the cursor at the end", lambda _: screen.cursor[1] == len(whole))
    wrong = {rows[0] for rows in screen.flushes} - {whole}
    check("accepting changes the color only", not wrong or print(wrong))
    screen.until("code's color", lambda _: screen.color(0, len(whole) - 1) == screen.color(0, 5))
    screen.type("<Esc>:w<CR>")
    screen.lua("assert(vim.wait(30000, function() return not vim.bo.modified end, 5))")
    check("and the file holds it", path.read_text() == whole + "\n")


def looks_as_accepted(screen, text):
    """In the middle of a line the screen shows what it will show once the ghost text is taken."""
    screen.call("nvim_buf_set_lines", 0, 0, -1, True, ["f(alpha, beta);", "g();"])
    screen.call("nvim_win_set_cursor", 0, [1, 2])
    answer = {"result": {"items": [{"insertText": text}]}}
    server(screen, "test/rules", {"rules": [{"before": "f(x", "steps": [answer]}]})
    last = text.expandtabs(8).split("\n")[-1]
    screen.type("ix")
    seen = screen.until("ghost text", lambda rows: any(last in row for row in rows[:4]))[:4]
    screen.flushes.clear()
    screen.type("<Tab><Esc>:<BS>")
    screen.until("the accepted text", lambda rows: screen.call("nvim_get_mode")["mode"] == "n")
    screen.call("nvim_command", "redraw!")
    screen.until("it redrawn", lambda rows: rows[:4] == seen)
    check(f"the screen before is the one after: {seen}", True)


def main():
    path = pathlib.Path("seen.c")
    path.write_text("\n")
    command = [sys.argv[1], "--embed", "-i", "NONE", "-u", str(here / "init.lua"), str(path)]
    screen = Screen(command, patience_s=PATIENCE_S)
    # With syntax on, Neovim draws once before it tells of a change, and once after.
    screen.call("nvim_command", "syntax on")
    screen.lua(
        """local ready = function() return require('kinglet.server').client_of_buffer(1) end
        assert(vim.wait(30000, ready, 5))"""
    )
    grows_and_shrinks(screen, path)
    looks_as_accepted(screen, ", y, ")
    looks_as_accepted(screen, ",\n\ty, ")
    looks_as_accepted(screen, " + a much longer first line than was there,\n  z, ")
    screen.close()


main()
