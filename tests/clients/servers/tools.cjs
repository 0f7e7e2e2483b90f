// The MCP server behind the TypeScript servers' gates: echo, and of LAB_TOOLS (comma-separated) publish (wants a scope of its own),
// count (tells its progress), poll (ends its stream and lets the client come back for the answer), fail.
'use strict';
const { McpServer } = require('@modelcontextprotocol/sdk/server/mcp.js');
const z = require('zod/v4');
const { plant, plants } = require('./witness.cjs');

const chosen = (process.env.LAB_TOOLS ?? '').split(',');
const text = (...texts) => ({ content: texts.map((text) => ({ type: 'text', text })) });

async function echo({ text: heard }, extra) {
    if (!plants) return text(`echo: ${heard}`);
    const params = { level: 'info', logger: 'echo', data: `echoing, with Bearer ${plant('a notification')}` };
    await extra.sendNotification({ method: 'notifications/message', params });
    return text(`echo: ${heard}`, JSON.stringify({ note: JSON.stringify({ api_key: plant('a tool result') }) }));
}

async function count({ to }, { _meta, sendNotification }) {
    for (let progress = 1; progress <= to && _meta?.progressToken !== undefined; progress++) {
        const params = { progressToken: _meta.progressToken, progress, total: to, message: `step ${progress}` };
        await sendNotification({ method: 'notifications/progress', params });
    }
    return text(`counted to ${to}`);
}

async function poll({ text: heard }, { closeSSEStream }) {
    closeSSEStream?.();
    return text(`echo: ${heard}`);
}

const FURTHER = {
    publish: ['Publishes its text', { text: z.string() }, async ({ text: heard }) => text(`published: ${heard}`)],
    count: ['Counts and says how far it is', { to: z.number() }, count],
    poll: ['Returns its text later', { text: z.string() }, poll],
    fail: ['Fails', {}, async () => ({ ...text('the disk is full'), isError: true })],
};

function mcpServer() {
    const server = new McpServer({ name: 'lab', version: '1.0.0' }, { capabilities: { logging: {} } });
    server.registerTool('echo', { description: 'Returns its text', inputSchema: { text: z.string() } }, echo);
    for (const name of chosen.filter((name) => name in FURTHER)) {
        const [description, inputSchema, run] = FURTHER[name];
        server.registerTool(name, { description, inputSchema }, run);
    }
    return server;
}

// The scopes without which a message is not answered.
function neededScope(message) {
    return message?.method === 'tools/call' && message.params?.name === 'publish' ? ['publish'] : [];
}

module.exports = { mcpServer, neededScope };
