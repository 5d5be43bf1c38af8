// Asks a server with OpenAI's own client and prints what comes back as JSON.
// node openai-client.cjs MODULE BASE_URL KEY IMAGE_DATA_URL QUESTION
const [module_, baseURL, apiKey, image, question] = process.argv.slice(2);
const { OpenAI } = require(module_);

const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });

const ask = (text, more) => ({
    model: 'current',
    messages: [{
        role: 'user',
        content: [
            ...(text ? [{ type: 'text', text }] : []),
            { type: 'image_url', image_url: { url: image } },
        ],
    }],
    ...more,
});

async function stream(request) {
    const result = { text: '', chunks: 0, finish: null, usage: null };
    for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
        result.chunks++;
        result.text += chunk.choices[0]?.delta?.content ?? '';
        result.finish = chunk.choices[0]?.finish_reason ?? result.finish;
        result.usage = chunk.usage ?? result.usage;
    }
    return result;
}

async function failure(call) {
    try {
        await call();
        return null;
    } catch (e) {
        return { name: e.constructor.name, status: e.status, code: e.code, param: e.param, type: e.type, message: e.message };
    }
}

(async () => {
    const models = [];
    for await (const model of client.models.list()) models.push(model.id);
    const asTrained = await client.chat.completions.create(ask(question));
    const drawn = { temperature: 1.5, top_p: 0.9, seed: 5, max_tokens: 40 };
    console.log(JSON.stringify({
        models,
        model: await client.models.retrieve('current'),
        asTrained,
        withoutText: await client.chat.completions.create(ask(null)),
        other: await client.chat.completions.create(ask('Which colour?', { max_completion_tokens: 3 })),
        drawn: await client.chat.completions.create(ask(question, drawn)),
        drawnAgain: await client.chat.completions.create(ask(question, drawn)),
        streamed: await stream(ask(question, { stream_options: { include_usage: true } })),
        tools: await failure(() => client.chat.completions.create(ask(question, {
            tools: [{ type: 'function', function: { name: 'f', parameters: {} } }],
        }))),
        unknownModel: await failure(() => client.chat.completions.create({ ...ask(question), model: 'gpt-4o' })),
        unknownName: await failure(() => client.models.retrieve('gpt-4o')),
        wrongKey: await failure(() => new OpenAI({ baseURL, apiKey: 'wrong', maxRetries: 0 }).models.list()),
    }));
})();
