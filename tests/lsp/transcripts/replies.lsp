# Exactly one reply per request, whatever its handler does.
--> {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}
<-- {"id":1,"jsonrpc":"2.0","result":{"capabilities":{"inlineCompletionProvider":{},"positionEncoding":"utf-16","textDocumentSync":{"change":2,"openClose":true,"save":{"includeText":true}}},"serverInfo":{"name":"scripted","version":"1"}}}
--> {"jsonrpc":"2.0","id":2,"method":"test/throw"}
log: test/throw threw: thrown on purpose
<-- {"error":{"code":-32603,"message":"test/throw: internal error: thrown on purpose"},"id":2,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":3,"method":"test/drop"}
<-- {"error":{"code":-32603,"message":"test/drop: the handler gave no answer"},"id":3,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","method":"test/throwing"}
log: test/throwing threw: a notification
--> {"jsonrpc":"2.0","id":4,"method":"test/text","params":{"uri":5}}
<-- {"error":{"code":-32602,"message":"params.uri: expected a string, got a number"},"id":4,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":5,"method":"test/text","params":{}}
<-- {"error":{"code":-32602,"message":"params.uri: missing"},"id":5,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":6,"method":"test/text"}
<-- {"error":{"code":-32602,"message":"params: expected an object, got null"},"id":6,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":7,"method":"test/text","params":[]}
<-- {"error":{"code":-32602,"message":"params.uri: missing"},"id":7,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///a.c","text":null}}}
log: textDocument/didOpen: params.textDocument.text: expected a string, got null
# An id in use is refused, the request it belongs to is untouched; 8 and "8" are two ids.
--> {"jsonrpc":"2.0","id":8,"method":"test/later"}
--> {"jsonrpc":"2.0","id":8,"method":"test/drop"}
<-- {"error":{"code":-32600,"message":"test/drop: id 8 belongs to a request still open"},"id":8,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":"8","method":"test/later"}
--> {"jsonrpc":"2.0","method":"test/release"}
<-- {"id":8,"jsonrpc":"2.0","result":"released"}
<-- {"id":"8","jsonrpc":"2.0","result":"released"}
# Once answered, an id may come again.
--> {"jsonrpc":"2.0","id":8,"method":"test/drop"}
<-- {"error":{"code":-32603,"message":"test/drop: the handler gave no answer"},"id":8,"jsonrpc":"2.0"}
