#!/usr/bin/env node
// An authorization server (LAB_AUTH) from the package oidc-provider, and an MCP server (LAB_MCP) without sessions behind it, two
// origins on one TLS listener: JWT access tokens for the resource that is asked for, id tokens, rotation, client id metadata
// documents, registration, a client that is registered beforehand, a login in redirects with cookies.
//
// Environment: LAB_RECORD, LAB_CERT, LAB_KEY, LAB_MCP, LAB_AUTH (origins); LAB_CLIENT, LAB_CLIENT_SECRET (registered beforehand);
// LAB_DOCUMENTS (client id metadata documents are on offer); LAB_REGISTRATION=closed (only with a token that nobody has);
// LAB_EXPIRE_AFTER (an access token of a login is refused after this many MCP requests, one of a refresh is not).
// Prints {"port": N} when it listens.
'use strict';
const { randomBytes, generateKeyPairSync, createPublicKey } = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const express = require('express');
const jose = require('jose');
const { Provider } = require('oidc-provider');
const { requireBearerAuth } = require('@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js');
const { InvalidTokenError } = require('@modelcontextprotocol/sdk/server/auth/errors.js');
const { StreamableHTTPServerTransport } = require('@modelcontextprotocol/sdk/server/streamableHttp.js');
const { mcpServer } = require('./tools.cjs');
const { secret, watch, witness } = require('./witness.cjs');

const issuer = process.env.LAB_AUTH;
const resource = `${process.env.LAB_MCP}/mcp`;
const metadataPath = '/.well-known/oauth-protected-resource/mcp';
const person = secret('person', `${randomBytes(8).toString('hex')}@people.test`);
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const signingKey = { ...privateKey.export({ format: 'jwk' }), kid: 'lab-1', alg: 'RS256', use: 'sig' };
const expireAfter = Number(process.env.LAB_EXPIRE_AFTER ?? Infinity);
const uses = new Map();
const scopes = ['openid', 'offline_access', 'echo'];

// What a client says of itself at the URL that is its id.
async function clientDocument(url) {
    const document = {
        client_id: String(url),
        client_name: 'a client with a document',
        redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'],
        application_type: 'native',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
    };
    return Response.json(document, { headers: { 'cache-control': 'max-age=3600' } });
}

const provider = new Provider(issuer, {
    fetch: clientDocument,
    jwks: { keys: [signingKey] },
    scopes,
    clients: process.env.LAB_CLIENT ? [beforehand(process.env.LAB_CLIENT, process.env.LAB_CLIENT_SECRET)] : [],
    cookies: { keys: [randomBytes(24).toString('hex')] },
    clientDefaults: { grant_types: ['authorization_code', 'refresh_token'], id_token_signed_response_alg: 'RS256' },
    interactions: { url: (_ctx, { uid }) => `/person/${uid}` },
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: async () => ({ sub, email: sub }) }),
    features: {
        devInteractions: { enabled: false },
        revocation: { enabled: true },
        registration: { enabled: true, initialAccessToken: process.env.LAB_REGISTRATION === 'closed' },
        clientIdMetadataDocument: { enabled: Boolean(process.env.LAB_DOCUMENTS), ack: 'draft-02' },
        resourceIndicators: {
            enabled: true,
            getResourceServerInfo: () => ({ scope: 'echo', audience: resource, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }),
            useGrantedResource: () => true,
        },
    },
});

function beforehand(client_id, client_secret) {
    secret('client_id', client_id);
    const own = client_secret ? { client_secret } : { token_endpoint_auth_method: 'none' };
    return { client_id, ...own, application_type: 'native', redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'] };
}

// What it gives out is secret whether or not a client shows it again.
const FIELDS = ['access_token', 'refresh_token', 'id_token', 'client_secret', 'registration_access_token', 'client_id'];
function noteAnswer({ body }) {
    for (const name of FIELDS) {
        secret(name, body?.[name]);
        const [, , signature] = String(body?.[name]).split('.');
        if (/_token$/.test(name) && signature) secret('signature', signature);
    }
}
provider.on('grant.success', ({ oidc, body }) => {
    if (oidc.params.grant_type === 'authorization_code') uses.set(body.access_token, 0);
});
for (const event of ['grant.success', 'registration_create.success']) provider.on(event, noteAnswer);

// The person logs in and agrees at once.
async function agree(req, res) {
    const { params, grantId } = await provider.interactionDetails(req, res);
    const grant = (grantId && (await provider.Grant.find(grantId))) ?? new provider.Grant({ accountId: person, clientId: params.client_id });
    grant.addOIDCScope(params.scope ?? '');
    grant.addResourceScope(resource, 'echo');
    const consent = { grantId: await grant.save() };
    await provider.interactionFinished(req, res, { login: { accountId: person }, consent }, { mergeWithLastSubmission: false });
}

const keys = jose.createLocalJWKSet({ keys: [{ ...createPublicKey(privateKey).export({ format: 'jwk' }), kid: 'lab-1', alg: 'RS256' }] });
async function verifyAccessToken(token) {
    const checked = await jose.jwtVerify(token, keys, { issuer, audience: resource, typ: 'at+jwt' }).catch((error) => {
        throw new InvalidTokenError(error.message);
    });
    if (uses.has(token)) uses.set(token, uses.get(token) + 1);
    if (uses.get(token) > expireAfter) throw new InvalidTokenError('expired early');
    const { client_id: clientId, scope, exp: expiresAt } = checked.payload;
    return { token, clientId, scopes: scope.split(' '), expiresAt };
}

async function mcp(req, res) {
    if (req.method !== 'POST') return res.status(405).set('allow', 'POST').end();
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
    await mcpServer().connect(transport);
    return transport.handleRequest(req, res, req.body);
}

const server = express();
server.use(witness);
server.get(metadataPath, (_req, res) =>
    res.json({ resource, authorization_servers: [issuer], scopes_supported: scopes, bearer_methods_supported: ['header'] }));
const resourceMetadataUrl = new URL(metadataPath, resource).href;
server.all('/mcp', requireBearerAuth({ verifier: { verifyAccessToken }, resourceMetadataUrl }), mcp);

const login = express();
login.use(witness);
login.get('/person/:uid', agree);
login.use(provider.callback());

const app = (req, res) => (req.headers.host === new URL(issuer).host ? login : server)(req, res);

const tls = { cert: fs.readFileSync(process.env.LAB_CERT), key: fs.readFileSync(process.env.LAB_KEY) };
const listener = https.createServer(tls, app).listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ port: listener.address().port }));
});
watch(listener);
process.on('SIGTERM', () => {
    listener.close();
    listener.closeAllConnections();
});
