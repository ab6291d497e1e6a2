--- Completion menus that ghost text makes room for: the editor's own, and those of plugins that
--- draw one themselves.
local M = {}

--- Plugin module → whether its menu is open.
local kPlugins = {
  cmp = function(cmp)
    return cmp.visible()
  end,
  ['blink.cmp'] = function(blink)
    return blink.is_menu_visible()
  end,
}

---@return boolean
function M.is_open()
  if vim.fn.pumvisible() == 1 then
    return true
  end
  for name, is_open in pairs(kPlugins) do
    local plugin = package.loaded[name]
    if type(plugin) == 'table' then
      local ok, open = pcall(is_open, plugin)
      if ok and open then
        return true
      end
    end
  end
  return false
end

--- Calls `callback` when a plugin's menu opens or closes.
---@param group integer augroup
---@param callback fun()
function M.watch(group, callback)
  vim.api.nvim_create_autocmd('User', {
    group = group,
    pattern = { 'BlinkCmpMenuOpen', 'BlinkCmpMenuClose' },
    callback = vim.schedule_wrap(callback),
  })
  local cmp = package.loaded.cmp
  if type(cmp) == 'table' and cmp.event then
    cmp.event:on('menu_opened', vim.schedule_wrap(callback))
    cmp.event:on('menu_closed', vim.schedule_wrap(callback))
  end
end

return M
