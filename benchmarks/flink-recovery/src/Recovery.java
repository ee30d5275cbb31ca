import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy;
import org.apache.flink.connector.datagen.source.DataGeneratorSource;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * What {@code cargo xtask bench recovery --flink} kills, and the same as Flott's example {@code recovery_bench}: 50 000 records a
 * second, keyed state of 1 000 bytes for each of 100 000 keys that changes with every record, and a file of lines that say which
 * process wrote them when, in ms since 1970. Parallelism, checkpoints, state backend, restarts and object reuse come from the
 * cluster's configuration and the command line.
 */
public final class Recovery {
    private static final double RECORDS_PER_SECOND = 50_000;
    private static final long KEYS = 100_000;
    private static final int STATE_BYTES = 1_000;

    public static void main(String[] args) throws Exception {
        if (args.length != 1) {
            throw new IllegalArgumentException("usage: Recovery OUTPUT");
        }
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        DataGeneratorSource<Long> source = new DataGeneratorSource<>(
                index -> index % KEYS, Long.MAX_VALUE, RateLimiterStrategy.perSecond(RECORDS_PER_SECOND), Types.LONG);
        env.fromSource(source, WatermarkStrategy.noWatermarks(), "generator")
                .uid("generator")
                .keyBy(key -> key, Types.LONG)
                .process(new Changes())
                .returns(Types.LONG)
                .name("state")
                .uid("state")
                .sinkTo(new Times(args[0]));
        env.execute("recovery");
    }

    /** Changes one byte of a key's state for each record, and passes the key on. */
    private static final class Changes extends KeyedProcessFunction<Long, Long, Long> {
        private transient ValueState<byte[]> state;

        @Override
        public void open(OpenContext context) {
            state = getRuntimeContext().getState(
                    new ValueStateDescriptor<>("bytes", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
        }

        @Override
        public void processElement(Long key, Context context, Collector<Long> out) throws Exception {
            byte[] bytes = state.value();
            if (bytes == null) {
                bytes = new byte[STATE_BYTES];
            }
            bytes[0]++;
            state.update(bytes);
            out.collect(key);
        }
    }

    /** Appends a line for the first record of each ms. The file is for whoever measures, and not written exactly once. */
    private static final class Times implements Sink<Long> {
        private final String path;

        Times(String path) {
            this.path = path;
        }

        @Override
        public SinkWriter<Long> createWriter(WriterInitContext context) throws IOException {
            return new TimesWriter(new FileOutputStream(path, true));
        }
    }

    private static final class TimesWriter implements SinkWriter<Long> {
        private final FileOutputStream file;
        private final String process = ProcessHandle.current().pid() + " ";
        private long last;

        TimesWriter(FileOutputStream file) {
            this.file = file;
        }

        @Override
        public void write(Long key, Context context) throws IOException {
            long now = System.currentTimeMillis();
            if (now > last) {
                last = now;
                // One call, so that lines of several writers stay whole.
                file.write((process + now + "\n").getBytes(StandardCharsets.US_ASCII));
            }
        }

        @Override
        public void flush(boolean endOfInput) {}

        @Override
        public void close() throws IOException {
            file.close();
        }
    }
}
