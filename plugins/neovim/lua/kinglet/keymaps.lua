--- The keys. Each does something only when there is something to do, and else what it did before:
--- the user's own mapping, looked up when the key is pressed, or the key itself.
local config = require('kinglet.config')
local session = require('kinglet.session')

local api = vim.api

local M = {}

local function keycodes(keys)
  return api.nvim_replace_termcodes(keys, true, true, true)
end

--- Puts keys before those that wait to be handled, so that fast typing stays in order.
local function feed(keys, remap)
  api.nvim_feedkeys(keys, remap and 'mi' or 'ni', false)
end

--- Inserts a part of the ghost text as one undo step of its own: what was typed before it and what
--- is typed after it are others.
---@param part 'all'|'word'|'line'
---@return boolean whether there was ghost text
function M.accept(part)
  if not session.can_accept() then
    return false
  end
  local insert = "<Cmd>lua require('kinglet.session').insert('%s')<CR>"
  feed(keycodes('<C-g>u' .. insert:format(part) .. '<C-g>u'))
  return true
end

--- Option name → what the key does; false when there was nothing to do.
local kActions = {
  accept = function()
    return M.accept('all')
  end,
  accept_word = function()
    return M.accept('word')
  end,
  accept_line = function()
    return M.accept('line')
  end,
  dismiss = session.dismiss,
  next = function()
    return session.cycle(1)
  end,
  previous = function()
    return session.cycle(-1)
  end,
  trigger = function()
    session.trigger()
    return true
  end,
}

--- The keys that a mapping stands for, or nil when it ran as a function.
local function keys_of(mapping)
  local rhs = mapping.rhs
  if mapping.callback then
    local result = mapping.callback()
    if mapping.expr ~= 1 then
      return nil
    end
    rhs = type(result) == 'string' and result or ''
    return mapping.replace_keycodes == 1 and keycodes(rhs) or rhs
  end
  rhs = (rhs or ''):gsub('<[sS][iI][dD]>', ('<SNR>%d_'):format(mapping.sid or 0))
  if mapping.expr == 1 then
    local result = tostring(api.nvim_eval(rhs))
    return mapping.replace_keycodes == 1 and keycodes(result) or result
  end
  return keycodes(rhs)
end

--- The user's mapping of a key: the buffer's as it was before ours, or the global one as it is now.
local function mapping_of(key, before)
  if before then
    return before
  end
  local wanted = keycodes(key)
  for _, mapping in ipairs(api.nvim_get_keymap('i')) do
    if keycodes(mapping.lhs) == wanted then
      return mapping
    end
  end
end

local function fall_back(key, before)
  local mapping = mapping_of(key, before)
  if not mapping then
    feed(keycodes(key))
    return
  end
  local keys = keys_of(mapping)
  if not keys then
    return
  end
  -- As Neovim does it: a mapping that begins with its own key means the plain key there.
  local own = keycodes(key)
  local remap = mapping.noremap ~= 1
  if remap and keys:sub(1, #own) == own then
    feed(keys:sub(#own + 1), true)
    feed(own)
  else
    feed(keys, remap)
  end
end

--- Maps the keys in a buffer. Mappings of the buffer win over global ones, so it does not matter
--- whether the user's are made before or after.
---@param bufnr integer
function M.set(bufnr)
  if vim.b[bufnr].kinglet_mapped then
    return
  end
  vim.b[bufnr].kinglet_mapped = true
  for name, action in pairs(kActions) do
    local key = config.options.keymaps[name]
    if key then
      local before
      for _, mapping in ipairs(api.nvim_buf_get_keymap(bufnr, 'i')) do
        if keycodes(mapping.lhs) == keycodes(key) then
          before = mapping
        end
      end
      vim.keymap.set('i', key, function()
        if not action() then
          fall_back(key, before)
        end
      end, { buffer = bufnr, desc = 'Kinglet: ' .. name:gsub('_', ' ') })
    end
  end
end

return M
