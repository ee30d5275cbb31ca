/** A table that can be sorted and searched; on a narrow screen each row becomes a card. */

import { type ReactNode, useMemo, useState } from "react";
import { useQuery } from "../app/router";
import { Empty } from "./basic";

export interface Column<T> {
  id: string;
  title: string;
  /** What is shown. */
  cell: (row: T) => ReactNode;
  /** What is sorted by; without it the column is not sortable. */
  order?: (row: T) => string | number | null | undefined;
  numeric?: boolean;
}

interface Props<T> {
  /** For screen readers, and for the names of its settings in the address. */
  name: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  rowKey: (row: T) => string;
  /** The text that a search looks at; without it there is no search. */
  text?: (row: T) => string;
  /** The column that orders the rows at first; `-` in front: the other way round. */
  sort?: string;
  empty?: ReactNode;
  /** A row below a row, such as details. */
  below?: (row: T) => ReactNode;
  /** As many rows are shown at first. */
  limit?: number;
}

function compare(one: string | number | null | undefined, other: string | number | null | undefined): number {
  if (one === other) return 0;
  if (one === null || one === undefined) return 1;
  if (other === null || other === undefined) return -1;
  if (typeof one === "number" && typeof other === "number") return one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
}

export function Table<T>({ name, rows, columns, rowKey, text, sort = "", empty = "Nothing here.", below, limit = 200 }: Props<T>) {
  const [order, setOrder] = useQuery(`${name}.sort`, sort);
  const [search, setSearch] = useQuery(`${name}.search`);
  const [shown, setShown] = useState(limit);
  const wanted = search.trim().toLowerCase();
  const found = useMemo(
    () => (text && wanted ? rows.filter((row) => text(row).toLowerCase().includes(wanted)) : rows),
    [rows, text, wanted],
  );
  const sorted = useMemo(() => {
    const back = order.startsWith("-");
    const column = columns.find(({ id }) => id === order.replace(/^-/, ""));
    if (!column?.order) return found;
    const by = column.order;
    return [...found].sort((one, other) => (back ? compare(by(other), by(one)) : compare(by(one), by(other))));
  }, [found, columns, order]);
  const page = sorted.slice(0, shown);
  return (
    <div className="table-block">
      {text && (rows.length > 8 || wanted !== "") && (
        <input
          type="search"
          className="search"
          value={search}
          placeholder={`Search ${name}`}
          aria-label={`Search ${name}`}
          onChange={(event) => setSearch(event.target.value)}
        />
      )}
      {sorted.length > 1 && <SortBy columns={columns} rows={rows} order={order} setOrder={setOrder} />}
      {sorted.length === 0 ? (
        <Empty>{wanted ? <>Nothing matches “{search}”.</> : empty}</Empty>
      ) : (
        <section className="table-scroll" tabIndex={0} aria-label={name}>
          {/* The roles are said again because the cards on narrow screens take them away. */}
          <table role="table">
            <thead role="rowgroup">
              <tr role="row">
                {columns.map((column) => (
                  <Head key={column.id} column={column} first={firstOrder(column, rows)} order={order} setOrder={setOrder} />
                ))}
              </tr>
            </thead>
            <tbody role="rowgroup">
              {page.map((row) => {
                const more = below?.(row);
                return <Row key={rowKey(row)} columns={columns} row={row} more={more} />;
              })}
            </tbody>
          </table>
        </section>
      )}
      {sorted.length > shown && (
        <button type="button" className="quiet" onClick={() => setShown(shown + limit)}>
          Show more ({sorted.length - shown} left)
        </button>
      )}
    </div>
  );
}

function Row<T>({ columns, row, more }: { columns: readonly Column<T>[]; row: T; more: ReactNode }) {
  return (
    <>
      <tr role="row">
        {columns.map((column) => (
          <td role="cell" key={column.id} data-label={column.title} className={column.numeric ? "numeric" : undefined}>
            {column.cell(row)}
          </td>
        ))}
      </tr>
      {more && (
        <tr role="row" className="below">
          <td role="cell" colSpan={columns.length}>
            {more}
          </td>
        </tr>
      )}
    </>
  );
}

/** How a column orders the rows when it is chosen: text from its beginning, numbers from the greatest. */
export function firstOrder<T>(column: Column<T>, rows: readonly T[]): string {
  const known = rows.map((row) => column.order?.(row)).find((value) => value !== null && value !== undefined);
  return typeof known === "string" ? column.id : `-${column.id}`;
}

interface SortByProps<T> {
  columns: readonly Column<T>[];
  rows: readonly T[];
  order: string;
  setOrder: (order: string) => void;
}

/** What the heads of columns are for, where rows are cards. The style shows it there alone. */
function SortBy<T>({ columns, rows, order, setOrder }: SortByProps<T>) {
  const sortable = columns.filter((column) => column.order);
  if (sortable.length < 2) return null;
  const back = order.startsWith("-");
  const by = order.replace(/^-/, "");
  const choose = (id: string) => {
    const column = sortable.find((one) => one.id === id);
    if (column) setOrder(firstOrder(column, rows));
  };
  return (
    <div className="sort-by">
      <label>
        Sort by
        <select value={by} onChange={(event) => choose(event.target.value)}>
          {by === "" && <option value="">as they come</option>}
          {sortable.map(({ id, title }) => (
            <option key={id} value={id}>
              {title}
            </option>
          ))}
        </select>
      </label>
      {by !== "" && (
        <button
          type="button"
          aria-label={back ? "descending; sort ascending" : "ascending; sort descending"}
          onClick={() => setOrder(back ? by : `-${by}`)}
        >
          {back ? "▼" : "▲"}
        </button>
      )}
    </div>
  );
}

interface HeadProps<T> {
  column: Column<T>;
  /** How it orders the rows at first. */
  first: string;
  order: string;
  setOrder: (order: string) => void;
}

function Head<T>({ column, first, order, setOrder }: HeadProps<T>) {
  const up = order === column.id;
  const down = order === `-${column.id}`;
  const sorted = up ? "ascending" : down ? "descending" : "none";
  return (
    <th role="columnheader" scope="col" aria-sort={column.order ? sorted : undefined} className={column.numeric ? "numeric" : undefined}>
      {column.order ? (
        <button type="button" className="head-button" onClick={() => setOrder(up ? `-${column.id}` : down ? column.id : first)}>
          {column.title}
          <span aria-hidden="true" className="sort-mark">
            {up ? "▲" : down ? "▼" : ""}
          </span>
        </button>
      ) : (
        column.title || <span className="hidden-text">actions</span>
      )}
    </th>
  );
}
