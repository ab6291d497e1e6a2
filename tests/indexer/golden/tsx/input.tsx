import React, { useState } from 'react';

interface Props {
  title: string;
  onSelect?: (id: number) => void;
}

/** Shows one entry. */
export const Entry: React.FC<Props> = ({ title, onSelect }) => {
  const [open, setOpen] = useState<boolean>(false);
  function toggle() { setOpen(!open); }
  return <li className="entry" onClick={toggle}>{title}</li>;
};

export default function List<T extends Props>({ entries }: { entries: T[] }) {
  return (
    <ul>
      {entries.map((entry) => <Entry key={entry.title} {...entry} />)}
    </ul>
  );
}

class Board extends React.Component<Props> {
  state = { count: 0 };
  render() { return <List entries={[this.props]} />; }
}
