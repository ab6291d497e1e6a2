# Before initialize nothing is answered but initialize.
--> {"jsonrpc":"2.0","id":1,"method":"test/text","params":{"uri":"file:///a.c"}}
<-- {"error":{"code":-32002,"message":"test/text before initialize"},"id":1,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///a.c","languageId":"c","version":1,"text":"x"}}}
log: textDocument/didOpen dropped: the server is not initialized or shut down
--> {"jsonrpc":"2.0","id":2,"method":"initialize","params":{"capabilities":7}}
<-- {"error":{"code":-32602,"message":"params.capabilities: expected an object, got a number"},"id":2,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":3,"method":"initialize","params":{"processId":null,"rootUri":null,"capabilities":{}}}
<-- {"id":3,"jsonrpc":"2.0","result":{"capabilities":{"inlineCompletionProvider":{},"positionEncoding":"utf-16","textDocumentSync":{"change":2,"openClose":true,"save":{"includeText":true}}},"serverInfo":{"name":"scripted","version":"1"}}}
--> {"jsonrpc":"2.0","method":"initialized","params":{}}
--> {"jsonrpc":"2.0","id":4,"method":"initialize","params":{"capabilities":{}}}
<-- {"error":{"code":-32600,"message":"initialize came before"},"id":4,"jsonrpc":"2.0"}
# Unknown methods: an error for requests, silence for notifications.
--> {"jsonrpc":"2.0","id":5,"method":"textDocument/hover","params":{}}
<-- {"error":{"code":-32601,"message":"unknown method textDocument/hover"},"id":5,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","method":"textDocument/willSave","params":{}}
--> {"jsonrpc":"2.0","method":"$/setTrace","params":{"value":"off"}}
# After shutdown only exit is left.
--> {"jsonrpc":"2.0","id":"six","method":"shutdown"}
<-- {"id":"six","jsonrpc":"2.0","result":null}
--> {"jsonrpc":"2.0","id":7,"method":"test/text","params":{"uri":"file:///a.c"}}
<-- {"error":{"code":-32600,"message":"test/text: the server is shut down"},"id":7,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","method":"exit"}
exit 0
--> {"jsonrpc":"2.0","id":8,"method":"test/text","params":{"uri":"file:///a.c"}}
