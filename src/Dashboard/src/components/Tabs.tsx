import type { ComponentChildren } from 'preact';

export interface Tab {
    key: string;
    label: string;
    /** Shown beside the label. */
    count?: string | undefined;
}

interface Props {
    label: string;
    tabs: readonly Tab[];
    selected: string;
    onSelect: (key: string) => void;
    children: ComponentChildren;
}

const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

/** Tabs with their panel. Arrow keys, Home and End go from one to another. */
export function Tabs({ label, tabs, selected, onSelect, children }: Props) {
    const onKeyDown = (event: KeyboardEvent) => {
        const step = steps[event.key];
        if (step === undefined) return;
        event.preventDefault();
        const at = tabs.findIndex(tab => tab.key === selected);
        const next = Number.isFinite(step) ? (at + step + tabs.length) % tabs.length : step < 0 ? 0 : tabs.length - 1;
        onSelect(tabs[next]!.key);
        document.getElementById(`tab-${tabs[next]!.key}`)?.focus();
    };
    return (
        <>
            <div class="tabs" role="tablist" aria-label={label} onKeyDown={onKeyDown}>
                {tabs.map(tab => (
                    <button key={tab.key} id={`tab-${tab.key}`} type="button" role="tab" aria-selected={tab.key === selected}
                        aria-controls="tab-panel" tabIndex={tab.key === selected ? 0 : -1} onClick={() => onSelect(tab.key)}>
                        {tab.label}{tab.count !== undefined && <span class="count">{tab.count}</span>}
                    </button>
                ))}
            </div>
            <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${selected}`}>{children}</div>
        </>
    );
}
