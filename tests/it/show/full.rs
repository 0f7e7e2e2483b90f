//! One interaction in full.

use super::shown;

#[test]
fn a_request_with_a_form_and_a_json_answer() {
    insta::assert_snapshot!(shown(&["login.yaml", "3"]), @r#"
    interaction 3: token-code
    session 1, connection 3, at 80ms, took 35ms

    > POST https://auth.example.test/token HTTP/1.1
      content-type: application/x-www-form-urlencoded

      grant_type: authorization_code
      code: SCRUBBED0003xxxxxxxxxxxx
      code_verifier: SCRUBBED0004xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx

    < 200 OK
      content-type: application/json

      {
        "access_token": "SCRUBBED0005xxxx",
        "token_type": "Bearer",
        "expires_in": 3600
      }
    "#);
}

#[test]
fn a_call_that_is_answered_by_a_stream() {
    insta::assert_snapshot!(shown(&["login.yaml", "5"]), @r#"
    interaction 5: mcp-request tools/call add
    session 2, connection 5, at 2512ms, took 10034ms

    > POST https://mcp.example.test/mcp HTTP/1.1
      authorization: Bearer SCRUBBED0005xxxx
      content-type: application/json

      {
        "jsonrpc": "2.0",
        "id": 3,
        "method": "tools/call",
        "params": {
          "name": "add",
          "arguments": {
            "a": 1,
            "b": 2
          }
        }
      }

    < 200 OK
      content-type: text/event-stream

         12ms  message
               {
                 "jsonrpc": "2.0",
                 "method": "notifications/progress",
                 "params": {
                   "progressToken": 3,
                   "progress": 1
                 }
               }
         31ms  message
               {
                 "jsonrpc": "2.0",
                 "id": 3,
                 "result": {
                   "content": [
                     {
                       "type": "text",
                       "text": "The sum is 3.\n--- and nothing else"
                     }
                   ]
                 }
               }
    * decoded from gzip
    * the server broke off: connection reset by peer
    "#);
}

#[test]
fn what_was_inferred_and_what_failed() {
    insta::assert_snapshot!(shown(&["login.yaml", "4"]), @r"
    interaction 4: callback (inferred)
    session 1, connection 4, at 1204ms, made by the user agent, inferred from other interactions

    > GET http://127.0.0.1:33418/callback?code=SCRUBBED0003xxxxxxxxxxxx&state=SCRUBBED0002xxxx HTTP/1.1
      ? code: SCRUBBED0003xxxxxxxxxxxx
      ? state: SCRUBBED0002xxxx

    < what came of it was not seen
    ");
    insta::assert_snapshot!(shown(&["login.yaml", "6"]), @r"
    interaction 6: token-refresh
    session 2, connection 6, at 14080ms, took 3ms

    > POST https://auth.example.test/token HTTP/1.1

      grant_type: refresh_token
      refresh_token: SCRUBBED0006xxxxxxxxxxx

    < no response, failed at connect: Connection refused (os error 111)
    ");
}

#[test]
fn a_query_is_listed_and_every_field_of_an_event_is_there() {
    insta::assert_snapshot!(shown(&["errors.yaml", "1"]), @r"
    interaction 1: authorize
    session 1, connection 1, at 999ms, took 20ms, made by the user agent

    > GET https://auth.example.test/tenants/0001/oauth2/v2.0/authorize?response_type=code&client_id=c&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb&code_challenge=x&code_challenge_method=S256&scope=a+b HTTP/1.1
      ? response_type: code
      ? client_id: c
      ? redirect_uri: http://127.0.0.1:1/cb
      ? code_challenge: x
      ? code_challenge_method: S256
      ? scope: a b

    < 302 Found
      location: http://127.0.0.1:1/cb?error=access_denied&error_description=Not+today
    ");
    insta::assert_snapshot!(shown(&["errors.yaml", "8"]), @r#"
    interaction 8: mcp-request tools/call echo
    session 12, connection 3, at 4000030ms, took 7ms

    > POST https://mcp.example.test/mcp HTTP/1.1

      {
        "jsonrpc": "2.0",
        "id": 3,
        "method": "tools/call",
        "params": {
          "name": "echo",
          "arguments": {}
        }
      }

    < 200 OK

          2ms  : ping
          5ms  id: 1  retry: 3000
               two
               lines
          7ms  message
               {
                 "jsonrpc": "2.0",
                 "id": 3,
                 "result": {
                   "isError": true,
                   "content": [
                     {
                       "type": "text",
                       "text": "disk full\nsorry"
                     }
                   ]
                 }
               }
      unfinished:
               data: unfini
    * the client went away
    "#);
    insta::assert_snapshot!(shown(&["errors.yaml", "9"]), @r"
    interaction 9: mcp-get-stream
    session 12, connection 3, at 4000040ms

    > GET https://mcp.example.test/mcp HTTP/1.1
      accept: text/event-stream

    < 200 OK

      no events
    * its end was not seen
    ");
}

#[test]
fn text_that_was_cut_and_bytes_that_are_no_text() {
    insta::assert_snapshot!(shown(&["errors.yaml", "10"]), @r#"
    interaction 10: mcp-request ping
    session 12, connection 3, at 4000050ms, took 1ms

    > POST https://mcp.example.test/mcp HTTP/1.0

      {
        "jsonrpc": "2.0",
        "id": 4,
        "method": "ping"
      }

    < 502 Bad Gateway
      content-type: text/html

      <html>

      Bad gateway
    * only the beginning is stored; 123456 bytes were transferred
    * trailers
      x-checksum: abc
    "#);
    insta::assert_snapshot!(shown(&["errors.yaml", "11"]), @r#"
    interaction 11: mcp-request ping
    session 12, connection 3, at 4000060ms, took 1ms

    > POST https://mcp.example.test/mcp HTTP/1.1

      {
        "jsonrpc": "2.0",
        "id": 5,
        "method": "ping"
      }

    < 200 OK

      000000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  ................
      000010  10 11 12 13 14 15 16 17 68 65 6c 6c 6f 20 ff fe  ........hello ..
    "#);
}
