import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { hasNavigated } from '../shell/router';

interface Props {
    /** Heading of the view and title of the browser's tab. */
    title: string;
    /** Shown before the heading: where the view belongs. */
    parent?: { label: string; href: string };
    /** Shown beside the heading. */
    actions?: ComponentChildren;
    /** Shown below the heading. */
    subtitle?: ComponentChildren;
    children: ComponentChildren;
}

/** Frame of a view. Its heading takes the focus when somebody has come here by a link, so that a screen reader says where they are. */
export function View({ title, parent, actions, subtitle, children }: Props) {
    const heading = useRef<HTMLHeadingElement>(null);
    useEffect(() => {
        document.title = `${title} · FunctionsPipeline`;
    }, [title]);
    useEffect(() => {
        if (hasNavigated) heading.current?.focus({ preventScroll: true });
        window.scrollTo(0, 0);
    }, []);
    return (
        <>
            <header class="view-head">
                <div class="view-titles">
                    {parent && <a class="view-parent" href={parent.href}>{parent.label}</a>}
                    <h1 ref={heading} tabIndex={-1}>{title}</h1>
                    {subtitle && <p class="view-subtitle">{subtitle}</p>}
                </div>
                {actions && <div class="actions">{actions}</div>}
            </header>
            {children}
        </>
    );
}
