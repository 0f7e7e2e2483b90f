#!/usr/bin/env node
// An MCP server (LAB_MCP) and its authorization server (LAB_AUTH), two origins on one TLS listener, from the TypeScript SDK v1:
// registration, PKCE, refresh with rotation, revocation, sessions, answers as SSE with event ids, the GET stream, one tool.
//
// Environment: LAB_RECORD, LAB_CERT, LAB_KEY, LAB_MCP, LAB_AUTH (origins); LAB_ACCESS_TTL (seconds, 3600);
// LAB_EXPIRE_AFTER (the first access token of each login is refused after this many MCP requests).
// Prints {"port": N} when it listens.
'use strict';
const { randomBytes, randomUUID } = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const express = require('express');
const { requireBearerAuth } = require('@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js');
const { getOAuthProtectedResourceMetadataUrl, mcpAuthRouter } = require('@modelcontextprotocol/sdk/server/auth/router.js');
const { InvalidGrantError, InvalidTokenError } = require('@modelcontextprotocol/sdk/server/auth/errors.js');
const { McpServer } = require('@modelcontextprotocol/sdk/server/mcp.js');
const { StreamableHTTPServerTransport } = require('@modelcontextprotocol/sdk/server/streamableHttp.js');
const z = require('zod/v4');
const { secret, watch, witness } = require('./witness.cjs');

const resource = new URL('/mcp', process.env.LAB_MCP);
const issuer = new URL(process.env.LAB_AUTH);
const accessLifetime = Number(process.env.LAB_ACCESS_TTL ?? 3600);
const expireAfter = Number(process.env.LAB_EXPIRE_AFTER ?? Infinity);

const issue = (what) => secret(what, `${what}_${randomBytes(24).toString('base64url')}`);
// Secrets no client asks for, in places no specification names.
const plant = (where) => secret(`planted in ${where}`, randomBytes(24).toString('base64url'));
const now = () => Math.floor(Date.now() / 1000);

// The authorization server's memory.
const clients = new Map();
const codes = new Map();
const accessTokens = new Map();
const refreshTokens = new Map();

function grant(client, scopes, generation) {
    const access = { token: issue('at'), clientId: client.client_id, scopes, expiresAt: now() + accessLifetime, generation, uses: 0 };
    const refresh = { token: issue('rt'), clientId: client.client_id, scopes, generation };
    accessTokens.set(access.token, access);
    refreshTokens.set(refresh.token, refresh);
    return {
        access_token: access.token,
        token_type: 'Bearer',
        expires_in: accessLifetime,
        scope: scopes.join(' '),
        refresh_token: refresh.token,
        authed_user: { access_token: plant('a token answer') },
    };
}

// A one-time value is taken out as it is looked up.
function take(memory, value, client) {
    const found = memory.get(value);
    memory.delete(value);
    if (!found || found.clientId !== client.client_id) throw new InvalidGrantError('unknown, used or foreign grant');
    return found;
}

const provider = {
    clientsStore: {
        getClient: (id) => clients.get(id),
        registerClient(metadata) {
            const client = { ...metadata, client_id: `client_${randomUUID()}`, client_id_issued_at: now() };
            client.registration_access_token = issue('reg');
            client.registration_client_uri = new URL(`/register?key=${plant('a registration URL')}`, issuer).href;
            secret('client_id', client.client_id);
            secret('client_secret', client.client_secret);
            clients.set(client.client_id, client);
            return client;
        },
    },
    async authorize(client, params, res) {
        const code = issue('code');
        codes.set(code, { clientId: client.client_id, challenge: params.codeChallenge, scopes: params.scopes ?? [] });
        const target = new URL(params.redirectUri);
        target.searchParams.set('code', code);
        if (params.state !== undefined) target.searchParams.set('state', params.state);
        target.searchParams.set('iss', issuer.href);
        target.searchParams.set('session_state', plant('a Location'));
        res.cookie('lab_login', issue('cookie'), { httpOnly: true });
        res.redirect(302, target.href);
    },
    async challengeForAuthorizationCode(_client, code) {
        if (!codes.has(code)) throw new InvalidGrantError('unknown code');
        return codes.get(code).challenge;
    },
    exchangeAuthorizationCode: async (client, code) => grant(client, take(codes, code, client).scopes, 0),
    async exchangeRefreshToken(client, token) {
        const old = take(refreshTokens, token, client);
        return grant(client, old.scopes, old.generation + 1);
    },
    async verifyAccessToken(token) {
        const known = accessTokens.get(token);
        if (!known || known.expiresAt <= now()) throw new InvalidTokenError('unknown or expired');
        if (known.generation === 0 && ++known.uses > expireAfter) throw new InvalidTokenError('expired early');
        return known;
    },
    async revokeToken(_client, { token }) {
        accessTokens.delete(token);
        refreshTokens.delete(token);
    },
};

// One stream's events, kept so that a client may resume; the ids are secrets of their session.
function eventStore() {
    const events = [];
    return {
        async storeEvent(streamId, message) {
            const id = secret('event_id', `${streamId}_${randomUUID()}`);
            events.push({ id, streamId, message });
            return id;
        },
        async replayEventsAfter(lastId, { send }) {
            const last = events.findIndex(({ id }) => id === lastId);
            const streamId = events[last]?.streamId;
            for (const event of events.slice(last + 1)) {
                if (event.streamId === streamId && event.message.method) await send(event.id, event.message);
            }
            return streamId;
        },
    };
}

function mcpServer() {
    const server = new McpServer({ name: 'lab', version: '1.0.0' }, { capabilities: { logging: {} } });
    const description = 'Returns its text';
    server.registerTool('echo', { description, inputSchema: { text: z.string() } }, async ({ text }, extra) => {
        const params = { level: 'info', logger: 'echo', data: `echoing, with Bearer ${plant('a notification')}` };
        await extra.sendNotification({ method: 'notifications/message', params });
        const nested = JSON.stringify({ note: JSON.stringify({ api_key: plant('a tool result') }) });
        return { content: [`echo: ${text}`, nested].map((text) => ({ type: 'text', text })) };
    });
    return server;
}

const sessions = new Map();

async function mcp(req, res) {
    const known = sessions.get(req.headers['mcp-session-id']);
    if (known) return known.handleRequest(req, res, req.body);
    if (req.body?.method !== 'initialize') {
        const code = req.headers['mcp-session-id'] ? 404 : 400;
        return res.status(code).json({ jsonrpc: '2.0', id: req.body?.id ?? null, error: { code: -32000, message: 'no such session' } });
    }
    const transport = new StreamableHTTPServerTransport({
        eventStore: eventStore(),
        sessionIdGenerator: () => secret('session', randomUUID()),
        onsessioninitialized: (id) => sessions.set(id, transport),
        onsessionclosed: (id) => sessions.delete(id),
    });
    await mcpServer().connect(transport);
    return transport.handleRequest(req, res, req.body);
}

const app = express();
app.use(witness);
app.use((_req, res, next) => {
    res.set('x-lab-key', plant('a header'));
    next();
});
app.use(mcpAuthRouter({ provider, issuerUrl: issuer, resourceServerUrl: resource, scopesSupported: ['echo'], resourceName: 'lab' }));
app.all('/mcp', requireBearerAuth({ verifier: provider, resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(resource) }), mcp);

const tls = { cert: fs.readFileSync(process.env.LAB_CERT), key: fs.readFileSync(process.env.LAB_KEY) };
const listener = https.createServer(tls, app).listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ port: listener.address().port }));
});
watch(listener);
// Open streams end with the server, so that each of them is logged.
process.on('SIGTERM', () => {
    listener.close();
    listener.closeAllConnections();
});
