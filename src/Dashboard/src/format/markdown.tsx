import type { ComponentChildren, VNode } from 'preact';

// What model cards are written in: headings, paragraphs, lists, tables, code, links, emphasis. HTML is shown as text.

interface Block {
    kind: 'heading' | 'paragraph' | 'code' | 'list' | 'table' | 'quote' | 'rule';
    level?: number;
    lines: string[];
}

/** Renders Markdown as elements. No text of it becomes HTML; links lead to http(s) only. */
export function Markdown({ text }: { text: string }) {
    return <div class="markdown">{parseBlocks(text).map(renderBlock)}</div>;
}

function parseBlocks(text: string): Block[] {
    // The YAML header of a card is for the Hub.
    const lines = text.replaceAll('\r\n', '\n').replace(/^---\n[\s\S]*?\n---\n/, '').split('\n');
    const blocks: Block[] = [];
    let i = 0;
    const take = (fits: (line: string) => boolean): string[] => {
        const start = i;
        while (i < lines.length && fits(lines[i]!)) i++;
        return lines.slice(start, i);
    };
    while (i < lines.length) {
        const line = lines[i]!;
        const heading = /^(#{1,6}) +(.*?)(?: +#+)?$/.exec(line);
        if (!line.trim()) i++;
        else if (heading) {
            blocks.push({ kind: 'heading', level: heading[1]!.length, lines: [heading[2]!] });
            i++;
        } else if (line.startsWith('```')) {
            i++;
            blocks.push({ kind: 'code', lines: take(line => !line.startsWith('```')) });
            i++;
        } else if (/^(-{3,}|\*{3,})\s*$/.test(line)) {
            blocks.push({ kind: 'rule', lines: [] });
            i++;
        } else if (isRow(line) && isDivider(lines[i + 1] ?? '')) blocks.push({ kind: 'table', lines: take(isRow) });
        else if (isItem(line)) blocks.push({ kind: 'list', lines: take(line => isItem(line) || /^\s+\S/.test(line)) });
        else if (line.startsWith('>')) blocks.push({ kind: 'quote', lines: take(line => line.startsWith('>')) });
        else {
            const first = lines[i++]!;
            const rest = take(line => !!line.trim() && !/^(#{1,6} |```|>)/.test(line) && !isItem(line));
            blocks.push({ kind: 'paragraph', lines: [first, ...rest] });
        }
    }
    return blocks;
}

const isItem = (line: string): boolean => /^\s*([-*+]|\d+[.)]) +/.test(line);
const isRow = (line: string): boolean => line.trimStart().startsWith('|');
const isDivider = (line: string): boolean => isRow(line) && /^[|\s:-]+$/.test(line);

function renderBlock({ kind, level, lines }: Block, key: number): VNode {
    switch (kind) {
        case 'heading': {
            // The page and its dialogs have the first two levels.
            const Heading = `h${Math.min(level! + 2, 6)}` as 'h3';
            return <Heading key={key}>{inline(lines[0]!)}</Heading>;
        }
        case 'code': return <pre key={key}><code>{lines.join('\n')}</code></pre>;
        case 'rule': return <hr key={key} />;
        case 'quote': return <blockquote key={key}>{inline(lines.map(line => line.replace(/^> ?/, '')).join(' '))}</blockquote>;
        case 'table': return <MarkdownTable key={key} lines={lines} />;
        case 'list': {
            const List = /^\s*\d/.test(lines[0]!) ? 'ol' : 'ul';
            const items = lines.reduce<string[]>((all, line) => isItem(line)
                ? [...all, line.replace(/^\s*([-*+]|\d+[.)]) +/, '')]
                : [...all.slice(0, -1), `${all.at(-1)} ${line.trim()}`], []);
            return <List key={key}>{items.map((item, i) => <li key={i}>{inline(item)}</li>)}</List>;
        }
        default: return <p key={key}>{inline(lines.join(' '))}</p>;
    }
}

function MarkdownTable({ lines }: { lines: string[] }) {
    const [head = [], divider = [], ...body] = lines.map(cells);
    const align = (i: number) => divider[i]?.endsWith(':') ? 'number' : undefined;
    return (
        <div class="table-scroll" role="group" aria-label="Table" tabIndex={0}>
            <table>
                <thead><tr>{head.map((cell, i) => <th key={i} scope="col" class={align(i)}>{inline(cell)}</th>)}</tr></thead>
                <tbody>{body.map((row, i) => (
                    <tr key={i}>{row.map((cell, j) => <td key={j} class={align(j)}>{inline(cell)}</td>)}</tr>
                ))}
                </tbody>
            </table>
        </div>
    );
}

// A bar in a cell is written \|.
const cells = (line: string): string[] => line.trim().replace(/^\|/, '').replace(/(?<!\\)\|$/, '').split(/(?<!\\)\|/)
    .map(cell => cell.trim());

const parts = /\\([\\`*_{}[\]()#+.!|<>-])|`([^`]+)`|\[([^\]]+)\]\((https?:[^\s)]+)\)|\*\*(.+?)\*\*|\*([^*\s][^*]*)\*/g;

function inline(text: string): ComponentChildren[] {
    const result: ComponentChildren[] = [];
    let end = 0;
    for (const match of text.matchAll(parts)) {
        if (match.index > end) result.push(text.slice(end, match.index));
        end = match.index + match[0].length;
        const [, escaped, code, label, url, bold, italic] = match;
        const key = match.index;
        if (escaped !== undefined) result.push(escaped);
        else if (code !== undefined) result.push(<code key={key}>{code}</code>);
        else if (url !== undefined) result.push(<a key={key} href={url} target="_blank" rel="noreferrer">{inline(label!)}</a>);
        else if (bold !== undefined) result.push(<strong key={key}>{inline(bold)}</strong>);
        else result.push(<em key={key}>{inline(italic!)}</em>);
    }
    if (end < text.length) result.push(text.slice(end));
    return result;
}
