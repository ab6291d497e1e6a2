--- Finds the `kinglet` program: the setting, then PATH, then beside the plugin.
local config = require('kinglet.config')

local M = {}

--- The plugin's own folder.
local function plugin_folder()
  local file = debug.getinfo(1, 'S').source:sub(2)
  return vim.fn.fnamemodify(file, ':p:h:h:h')
end

--- Places beside the plugin, best first: bundled with it, installed (share/kinglet/neovim), and the
--- release build of a source tree (plugins/neovim).
local kBeside = {
  '/bin/kinglet',
  '/../../../bin/kinglet',
  '/../../build/release/bin/kinglet',
}

---@class kinglet.Program
---@field path string? absolute; nil when there is none
---@field origin string where it was found, or what is wrong

---@return kinglet.Program
function M.find()
  local wished = config.options.program
  if wished ~= '' then
    local path = vim.fn.exepath(vim.fn.expand(wished))
    if path ~= '' then
      return { path = path, origin = 'the option "program"' }
    end
    return { origin = ('the option "program" names %s, which is no program'):format(wished) }
  end
  local path = vim.fn.exepath('kinglet')
  if path ~= '' then
    return { path = path, origin = 'PATH' }
  end
  for _, place in ipairs(kBeside) do
    path = vim.fn.fnamemodify(plugin_folder() .. place, ':p')
    if vim.fn.executable(path) == 1 then
      return { path = vim.fn.resolve(path), origin = 'beside the plugin' }
    end
  end
  return { origin = 'no kinglet in PATH or beside the plugin; set the option "program"' }
end

return M
