--- What happened to the servers in this session, for `:Kinglet log`. Never holds code.
local M = {}

local kMaxLines = 500
local lines = {}

--- Adds a line. Safe in a fast context.
---@param format string
function M.add(format, ...)
  lines[#lines + 1] = os.date('%H:%M:%S ') .. format:format(...)
  if #lines > kMaxLines then
    table.remove(lines, 1)
  end
end

--- Adds a line and tells the user.
---@param level integer of vim.log.levels
---@param message string short enough for one line: a longer one would stop the user's typing
function M.tell(level, message)
  M.add('%s', message)
  vim.schedule(function()
    vim.notify('Kinglet: ' .. message, level)
  end)
end

---@return string[]
function M.lines()
  return lines
end

return M
