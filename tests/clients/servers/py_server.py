#!/usr/bin/env python3
"""An MCP server that is its own authorization server (LAB_MCP), from the Python SDK: protocol 2026-07-28 (stateless,
server/discover) and the older sessions, registration, PKCE, refresh with rotation, revocation, JWT access tokens, a login
in two redirects, one tool.

Environment: LAB_RECORD, LAB_CERT, LAB_KEY, LAB_MCP (origin); LAB_ACCESS_TTL (seconds, 3600);
LAB_TOOLS (comma-separated): dial (refuses parameters), count (tells its progress).
Prints {"port": N} when it listens.
"""

import asyncio
import json
import os
import secrets
import time

import jwt
import uvicorn
from mcp.server import MCPServer
from mcp.server.auth.provider import AccessToken, AuthorizationCode, RefreshToken, construct_redirect_uri
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.auth import OAuthToken
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS
from starlette.responses import RedirectResponse
from witness import Watched, Witness, secret

ORIGIN = os.environ["LAB_MCP"]
ACCESS_LIFETIME = int(os.environ.get("LAB_ACCESS_TTL", "3600"))
SIGNING_KEY = secrets.token_bytes(32)
PERSON = secret("person", f"{secrets.token_hex(8)}@people.test")


def issue(what):
    return secret(what, f"{what}_{secrets.token_urlsafe(24)}")


class Provider:
    """The authorization server's memory."""

    def __init__(self):
        self.clients, self.codes, self.access, self.refresh, self.logins = {}, {}, {}, {}, {}

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def register_client(self, client):
        secret("client_id", client.client_id)
        secret("client_secret", client.client_secret)
        self.clients[client.client_id] = client

    async def authorize(self, client, params):
        login = issue("login")
        self.logins[login] = (client, params)
        return f"{ORIGIN}/consent?login={login}"

    async def consent(self, request):
        client, params = self.logins.pop(request.query_params["login"])
        code = issue("code")
        self.codes[code] = AuthorizationCode(
            code=code,
            client_id=client.client_id,
            expires_at=time.time() + 60,
            scopes=params.scopes or [],
            **params.model_dump(include={"code_challenge", "redirect_uri", "redirect_uri_provided_explicitly", "resource"}),
        )
        target = construct_redirect_uri(str(params.redirect_uri), code=code, state=params.state, iss=ORIGIN)
        return RedirectResponse(target, status_code=302)

    async def load_authorization_code(self, client, code):
        return self.codes.get(code)

    async def exchange_authorization_code(self, client, code):
        del self.codes[code.code]
        return self.grant(client, code.scopes, code.resource)

    async def load_refresh_token(self, client, token):
        return self.refresh.get(token)

    async def exchange_refresh_token(self, client, token, scopes):
        del self.refresh[token.token]
        return self.grant(client, scopes, token.resource)

    async def load_access_token(self, token):
        return self.access.get(token)

    async def revoke_token(self, token):
        self.access.pop(token.token, None)
        self.refresh.pop(token.token, None)

    def grant(self, client, scopes, resource):
        expires = int(time.time()) + ACCESS_LIFETIME
        claims = {"iss": ORIGIN, "aud": resource, "sub": PERSON, "exp": expires, "jti": issue("jti")}
        token = secret("access_token", jwt.encode(claims, SIGNING_KEY, algorithm="HS256"))
        secret("signature", token.rsplit(".", 1)[1])
        known = {"client_id": client.client_id, "scopes": scopes, "resource": resource, "subject": PERSON}
        self.access[token] = AccessToken(token=token, expires_at=expires, **known)
        refresh = issue("rt")
        self.refresh[refresh] = RefreshToken(token=refresh, **known)
        return OAuthToken(access_token=token, expires_in=ACCESS_LIFETIME, refresh_token=refresh)


def application():
    provider = Provider()
    server = MCPServer(
        "lab",
        version="1.0.0",
        log_level="WARNING",
        auth_server_provider=provider,
        auth=AuthSettings(
            issuer_url=ORIGIN,
            resource_server_url=f"{ORIGIN}/mcp",
            validate_token_resource=True,
            client_registration_options=ClientRegistrationOptions(enabled=True),
            revocation_options=RevocationOptions(enabled=True),
        ),
    )

    @server.tool(description="Returns its text")
    def echo(text: str) -> str:
        return f"echo: {text}"

    further_tools(server, os.environ.get("LAB_TOOLS", "").split(","))
    server.custom_route("/consent", methods=["GET"])(provider.consent)
    unguarded = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    return Witness(server.streamable_http_app(transport_security=unguarded))


def further_tools(server, chosen):
    if "dial" in chosen:

        @server.tool(description="Wants a text of digits")
        def dial(text: str) -> str:
            if not text.isdigit():
                raise MCPError(code=INVALID_PARAMS, message="text must hold digits only")
            return f"dialled {text}"

    if "count" in chosen:

        @server.tool(description="Counts and says how far it is")
        async def count(to: int, context: Context) -> str:
            for step in range(1, to + 1):
                await context.report_progress(step, to, f"step {step}")
            return f"counted to {to}"


async def main():
    listener = Watched()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(
        application(),
        log_level="warning",
        timeout_graceful_shutdown=1,
        ssl_certfile=os.environ["LAB_CERT"],
        ssl_keyfile=os.environ["LAB_KEY"],
    )
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)  # the backlog holds what comes before serve()
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(main())
