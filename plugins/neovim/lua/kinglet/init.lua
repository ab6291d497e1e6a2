--- Kinglet for Neovim: code completion by a language model on this machine, drawn as ghost text
--- while it is being written. This module is the public interface; :help kinglet describes it.
local M = {}

local started = false

--- Sets the options and starts. Called without options by plugin/kinglet.lua once the user's
--- configuration is read, unless the user called it.
---@param options table? see :help kinglet-options
function M.setup(options)
  require('kinglet.config').apply(options)
  started = true
  require('kinglet.attach').start()
end

---@private
function M.setup_once()
  if not started then
    M.setup(vim.g.kinglet)
  end
end

--- Text for a status line; '' where Kinglet has no part in the buffer.
---@return string
function M.status()
  return require('kinglet.status').line()
end

--- Takes the whole ghost text.
---@return boolean whether there was any
function M.accept()
  return require('kinglet.keymaps').accept('all')
end

---@return boolean whether there was any
function M.accept_word()
  return require('kinglet.keymaps').accept('word')
end

---@return boolean whether there was any
function M.accept_line()
  return require('kinglet.keymaps').accept('line')
end

---@return boolean whether there was any
function M.dismiss()
  return require('kinglet.session').dismiss()
end

--- Shows the next alternative.
---@return boolean whether there was ghost text
function M.next()
  return require('kinglet.session').cycle(1)
end

---@return boolean whether there was ghost text
function M.previous()
  return require('kinglet.session').cycle(-1)
end

--- Asks for a suggestion at the cursor.
function M.trigger()
  require('kinglet.session').trigger()
end

---@return boolean whether ghost text is on the screen
function M.is_visible()
  return require('kinglet.ghost').is_shown()
end

function M.enable()
  require('kinglet.session').set_enabled(true)
end

function M.disable()
  require('kinglet.session').set_enabled(false)
end

return M
