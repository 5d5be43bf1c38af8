import { useEffect, useRef, useState } from 'preact/hooks';
import { isAbort } from '../api/errors';
import { takeImage } from '../api/images';

/** An image of the API, fetched when it comes near the screen. */
export function ApiImage({ url, alt, class: className = '' }: { url: string; alt: string; class?: string }) {
    const box = useRef<HTMLSpanElement>(null);
    const [shown, setShown] = useState<string>();
    const [hasFailed, setFailed] = useState(false);
    useEffect(() => {
        setShown(undefined);
        setFailed(false);
        let release: (() => void) | undefined;
        const observer = new IntersectionObserver(changes => {
            if (!changes.some(change => change.isIntersecting)) return;
            observer.disconnect();
            const image = takeImage(url);
            let isGone = false;
            release = () => {
                isGone = true;
                image.release();
            };
            image.url.then(blob => !isGone && setShown(blob), e => !isGone && !isAbort(e) && setFailed(true));
        }, { rootMargin: '200px' });
        observer.observe(box.current!);
        return () => {
            observer.disconnect();
            release?.();
        };
    }, [url]);
    return (
        <span ref={box} class={`image ${className}`}>
            {shown && <img src={shown} alt={alt} />}
            {hasFailed && <span class="image-missing" role="img" aria-label={`${alt} (cannot be shown)`} />}
        </span>
    );
}
