--- The options, their defaults and their checks. `setup(opts)` or `vim.g.kinglet` set them.
local M = {}

---@class kinglet.Config
M.defaults = {
  --- Path of the `kinglet` program. Empty: the one in PATH, then the one beside the plugin.
  program = '',
  --- Further arguments after `kinglet lsp`.
  args = {},
  --- Client settings for the daemon, as its config.json spells them.
  settings = {},
  --- Definitions, references, symbols and hovers from the index: 'auto' in buffers where no other
  --- language server offers them, 'on' in all, 'off' in none.
  navigation = 'auto',
  --- Filetype → whether to attach; '*' stands for all that are not named.
  filetypes = {
    ['*'] = true,
    [''] = false,
    diff = false,
    gitcommit = false,
    gitrebase = false,
    help = false,
    log = false,
    man = false,
    netrw = false,
    qf = false,
  },
  --- A folder that holds one of these is a root.
  root_markers = { '.git', '.hg', '.svn' },
  --- Buffers larger than this are left alone.
  max_file_bytes = 4 * 1024 * 1024,
  --- Suggest while one types; otherwise only when asked for (the `trigger` key).
  auto_trigger = true,
  --- Quiet milliseconds after a keystroke before a request is sent; 0 to 25.
  debounce_ms = 15,
  --- Hide the ghost text while a completion menu is open.
  yield_to_menu = true,
  --- Insert mode keys; false leaves one unmapped. Without ghost text each key does what it did.
  keymaps = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-C-Right>',
    dismiss = '<C-]>',
    next = '<M-]>',
    previous = false,
    trigger = '<M-Bslash>',
  },
  --- Waits before a stopped server is started again; after the last one it stays stopped.
  restart_delays_ms = { 500, 1000, 2000, 4000, 8000 },
}

local function fail(what)
  error('kinglet: ' .. what, 0)
end

--- Lays the options over the defaults, refusing what is unknown or of another type.
local function merge(defaults, options, path)
  local merged = {}
  for name, value in pairs(defaults) do
    merged[name] = value
  end
  for name, value in pairs(options) do
    local default, where = defaults[name], path .. name
    if default == nil then
      fail(('unknown option "%s"; :help kinglet-options lists them'):format(where))
    end
    local is_map = type(default) == 'table' and next(default) and #default == 0
    if where == 'filetypes' then
      merged[name] = vim.tbl_extend('force', default, value)
    elseif is_map and type(value) == 'table' then
      merged[name] = merge(default, value, where .. '.')
    elseif path == 'keymaps.' then
      if type(value) ~= 'string' and value ~= false then
        fail(('option "%s" must be a key or false'):format(where))
      end
      merged[name] = value
    elseif type(value) ~= type(default) then
      fail(('option "%s" must be a %s, not a %s'):format(where, type(default), type(value)))
    else
      merged[name] = value
    end
  end
  return merged
end

--- The options in force.
---@type kinglet.Config
M.options = M.defaults

---@param options table?
---@return kinglet.Config
function M.apply(options)
  local merged = merge(M.defaults, options or {}, '')
  if merged.debounce_ms < 0 or merged.debounce_ms > 25 then
    fail('option "debounce_ms" must be between 0 and 25')
  end
  if not vim.tbl_contains({ 'auto', 'on', 'off' }, merged.navigation) then
    fail('option "navigation" must be "auto", "on" or "off"')
  end
  M.options = merged
  return merged
end

return M
