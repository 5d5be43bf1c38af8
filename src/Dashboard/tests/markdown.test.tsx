import { render } from 'preact';
import { expect, test } from 'vitest';
import { Markdown } from '../src/format/markdown';

const html = (text: string): string => {
    render(<Markdown text={text} />, document.body);
    return document.querySelector('.markdown')!.innerHTML;
};

test('The YAML header of a card is left out', () =>
    expect(html('---\ntags:\n- a\n---\n# Card\n\ntext')).toBe('<h3>Card</h3><p>text</p>'));

test('Headings, paragraphs, lists, quotes and rules', () =>
    expect(html('## Two\none\nline\n\n* a\n* b\n  more\n\n1. x\n\n> said\n\n---\n'))
        .toBe('<h4>Two</h4><p>one line</p><ul><li>a</li><li>b more</li></ul><ol><li>x</li></ol><blockquote>said</blockquote><hr>'));

test('Emphasis, code and links inside of each other', () =>
    expect(html('**bold `a*b*`** and [a *link*](https://example.org/x)')).toBe(
        '<p><strong>bold `a*b*`</strong> and <a href="https://example.org/x" target="_blank" rel="noreferrer">a <em>link</em></a></p>'
            .replace('`a*b*`', '<code>a*b*</code>')));

test('Code keeps its lines and is not read as Markdown', () =>
    expect(html('```sh\n# no heading\n<|user|>\n```')).toBe('<pre><code># no heading\n&lt;|user|&gt;</code></pre>'));

test('Tables align numbers and keep escaped bars', () => {
    html('| a | n |\n| --- | ---: |\n| x\\|y | 1 |\n');
    expect([...document.querySelectorAll('td')].map(cell => [cell.textContent, cell.className])).toEqual([['x|y', ''], ['1', 'number']]);
});

test('Nothing becomes HTML, and links lead to http(s) only', () => {
    const text = html('<img src=x onerror=alert(1)> [a](javascript:alert(1)) \\<b> [b](data:text/html,x)');
    expect(document.querySelectorAll('img, a, b')).toHaveLength(0);
    expect(text).toContain('&lt;img');
});
