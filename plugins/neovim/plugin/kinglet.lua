-- Sourced by Neovim at startup: the command, and a start with the default options for those who do
-- not call require('kinglet').setup() themselves.
if vim.g.loaded_kinglet then
  return
end
vim.g.loaded_kinglet = true

vim.api.nvim_create_user_command('Kinglet', function(command)
  require('kinglet.commands').run(command.args)
end, {
  nargs = 1,
  complete = function(begun)
    return require('kinglet.commands').complete(begun)
  end,
  desc = 'Kinglet: status, log, context, enable, disable, restart',
})

if vim.v.vim_did_enter == 1 then
  vim.schedule(function()
    require('kinglet').setup_once()
  end)
else
  vim.api.nvim_create_autocmd('VimEnter', {
    once = true,
    callback = function()
      require('kinglet').setup_once()
    end,
  })
end
