/** The mark: a hall with its door. */
export function Logo({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true" className={className}>
      <rect width="32" height="32" rx="7" fill="var(--accent)" />
      <path
        d="M7 25V14.5L16 7l9 7.5V25"
        fill="none"
        stroke="var(--accent-ink)"
        strokeWidth="2.4"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
      <path
        d="M12.5 25v-5a3.5 3.5 0 0 1 7 0v5"
        fill="none"
        stroke="var(--accent-ink)"
        strokeOpacity="0.6"
        strokeWidth="2.4"
        strokeLinecap="round"
      />
    </svg>
  );
}
