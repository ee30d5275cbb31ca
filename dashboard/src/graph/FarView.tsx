/**
 * A large graph from afar. Its vertices are too small to read, and there are too many of them to be elements that change: their colours
 * and edges are drawn. The elements lie above the picture, without anything to see, for the pointer, the keyboard and screen readers.
 */

import { useStoreApi } from "@xyflow/react";
import { useEffect, useRef } from "react";
import { useStore } from "../api/store";
import { useRoute } from "../app/router";
import { dark } from "../app/settings";
import { Colors } from "./colors";
import type { FlowFigures } from "./flow";
import { NODE_HEIGHT, NODE_WIDTH, type Place } from "./layout";
import type { Graph } from "./model";

interface Props {
  graph: Graph;
  places: ReadonlyMap<string, Place>;
  figures: FlowFigures;
  downwards: boolean;
}

type Pen = CanvasRenderingContext2D;

/** From this width of a vertex on, in px of the screen, its name is written. */
const NAMED = 64;

const FONT = "10px system-ui, sans-serif";

export function FarView({ graph, places, figures, downwards }: Props) {
  const below = useRef<HTMLCanvasElement>(null);
  const above = useRef<HTMLCanvasElement>(null);
  const flow = useStoreApi();
  const isDark = useStore(dark);
  const opened = useRoute().query.get("vertex");

  useEffect(() => {
    const [ground, front] = [below.current?.getContext("2d"), above.current?.getContext("2d")];
    if (!ground || !front) return;
    const colors = new Colors();
    const lines = linesOf(graph, places, downwards);
    let drawn: unknown;
    let frame = 0;
    const draw = () => {
      frame = 0;
      const { transform, width, height } = flow.getState();
      // Edges stay where they are until the view is moved.
      const view = [...transform, width, height].join();
      if (view !== drawn) {
        drawn = view;
        const scale = prepare(ground, width, height, transform);
        ground.strokeStyle = colors.of("--text-faint");
        ground.globalAlpha = 0.5;
        ground.lineWidth = 1 / scale;
        ground.stroke(lines);
      }
      drawVertices(front, prepare(front, width, height, transform), { graph, places, figures, colors, opened });
    };
    const ask = () => {
      if (frame === 0) frame = requestAnimationFrame(draw);
    };
    const stops = [flow.subscribe(ask), figures.changed.subscribe(ask), figures.lit.subscribe(ask)];
    draw();
    return () => {
      cancelAnimationFrame(frame);
      for (const stop of stops) stop();
    };
    // A theme has other colours.
  }, [graph, places, figures, downwards, opened, isDark, flow]);

  return (
    <>
      <canvas ref={below} className="far-view" aria-hidden="true" />
      <canvas ref={above} className="far-view" aria-hidden="true" />
    </>
  );
}

/** Empties a canvas and moves its pen to the graph; gives the scale. */
function prepare(pen: Pen, width: number, height: number, [x, y, scale]: readonly [number, number, number]): number {
  const { canvas } = pen;
  const dots = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * dots), Math.round(height * dots)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.globalAlpha = 1;
  pen.clearRect(0, 0, wide, high);
  pen.setTransform(dots * scale, 0, 0, dots * scale, dots * x, dots * y);
  return scale;
}

function linesOf(graph: Graph, places: ReadonlyMap<string, Place>, downwards: boolean): Path2D {
  const path = new Path2D();
  for (const { from, to } of graph.edges) {
    const [start, end] = [places.get(from), places.get(to)];
    if (!start || !end) continue;
    if (downwards) {
      const [x, y, toX, toY] = [start.x + NODE_WIDTH / 2, start.y + NODE_HEIGHT, end.x + NODE_WIDTH / 2, end.y];
      const bend = (toY - y) / 2;
      path.moveTo(x, y);
      path.bezierCurveTo(x, y + bend, toX, toY - bend, toX, toY);
    } else {
      const [x, y, toX, toY] = [start.x + NODE_WIDTH, start.y + NODE_HEIGHT / 2, end.x, end.y + NODE_HEIGHT / 2];
      const bend = (toX - x) / 2;
      path.moveTo(x, y);
      path.bezierCurveTo(x + bend, y, toX - bend, toY, toX, toY);
    }
  }
  return path;
}

interface Shown {
  graph: Graph;
  places: ReadonlyMap<string, Place>;
  figures: FlowFigures;
  colors: Colors;
  opened: string | null;
}

function drawVertices(pen: Pen, scale: number, { graph, places, figures, colors, opened }: Shown): void {
  const lit = figures.lit.get();
  const named = NODE_WIDTH * scale >= NAMED;
  const inner = 1 / scale;
  let slow: Place | undefined;
  for (const { id, name } of graph.vertices) {
    const place = places.get(id);
    if (!place) continue;
    const { x, y } = place;
    const { flow, bottleneck } = figures.vertex(id).get();
    const mark = markOf(id, lit);
    pen.globalAlpha = mark === "dim" ? 0.35 : 1;
    pen.fillStyle = colors.load(flow);
    pen.fillRect(x, y, NODE_WIDTH, NODE_HEIGHT);
    if (named) {
      pen.fillStyle = colors.of("--raised");
      pen.fillRect(x + NODE_WIDTH / 8, y + inner, NODE_WIDTH - NODE_WIDTH / 8 - inner, NODE_HEIGHT - 2 * inner);
      write(pen, name, scale, place, colors.of("--text"));
    }
    const outline = bottleneck
      ? "--bad"
      : id === opened
        ? "--accent"
        : mark === "upstream"
          ? "--series-1"
          : mark && mark !== "dim"
            ? "--series-3"
            : "";
    if (outline) {
      // Not so wide that it hides a small one.
      pen.lineWidth = Math.min(2.5 / scale, NODE_HEIGHT / 5);
      pen.strokeStyle = colors.of(outline);
      pen.strokeRect(x, y, NODE_WIDTH, NODE_HEIGHT);
    }
    if (bottleneck) slow = place;
  }
  pen.globalAlpha = 1;
  // After all others, so that none covers it.
  if (slow) tag(pen, scale, slow, "bottleneck");
}

function markOf(id: string, lit: ReturnType<FlowFigures["lit"]["get"]>): "upstream" | "downstream" | "dim" | "" {
  if (lit === null || lit.over === id) return "";
  if (lit.upstream.has(id)) return "upstream";
  return lit.downstream.has(id) ? "downstream" : "dim";
}

/** The name of a vertex, cut to its width, in letters of the same size at every scale. */
function write(pen: Pen, text: string, scale: number, { x, y }: Place, color: string): void {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, NODE_WIDTH, NODE_HEIGHT);
  pen.clip();
  pen.translate(x + NODE_WIDTH / 8 + 3 / scale, y + NODE_HEIGHT / 2);
  pen.scale(1 / scale, 1 / scale);
  pen.font = FONT;
  pen.textBaseline = "middle";
  pen.fillStyle = color;
  pen.fillText(text, 0, 0);
  pen.restore();
}

function tag(pen: Pen, scale: number, { x, y }: Place, text: string): void {
  pen.save();
  pen.translate(x + NODE_WIDTH / 2, y);
  pen.scale(1 / scale, 1 / scale);
  pen.font = FONT;
  const width = pen.measureText(text).width + 12;
  pen.fillStyle = "#b3261e";
  pen.beginPath();
  pen.roundRect(-width / 2, -18, width, 15, 7);
  pen.fill();
  pen.fillStyle = "#fff";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(text, 0, -10);
  pen.restore();
}
