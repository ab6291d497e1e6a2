--- A view: the buffer around the cursor as it is now. The only thing suggestion.lua sees of the
--- editor.
local text = require('kinglet.text')

local api = vim.api

---@class kinglet.View
---@field bufnr integer
---@field row integer 0-based line of the cursor
---@field col integer byte column of the cursor
local View = {}
View.__index = View

--- The text of a line; empty past the buffer's end.
---@param row integer 0-based
---@return string
function View:line(row)
  return api.nvim_buf_get_lines(self.bufnr, row, row + 1, false)[1] or ''
end

--- Text right of the cursor on its line.
---@return string
function View:after()
  return self:line(self.row):sub(self.col + 1)
end

--- The cursor as params of a request.
---@param encoding 'utf-8'|'utf-16'|'utf-32'
---@return {textDocument: table, position: table}
function View:place(encoding)
  return {
    textDocument = { uri = vim.uri_from_bufnr(self.bufnr) },
    position = {
      line = self.row,
      character = text.column_from_bytes(self:line(self.row), self.col, encoding),
    },
  }
end

local M = {}

--- The current window's buffer at its cursor.
---@return kinglet.View
function M.current()
  local cursor = api.nvim_win_get_cursor(0)
  return setmetatable({
    bufnr = api.nvim_get_current_buf(),
    row = cursor[1] - 1,
    col = cursor[2],
  }, View)
end

return M
