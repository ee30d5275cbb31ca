import java.util.Locale;

import org.apache.flink.api.common.JobExecutionResult;
import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * Streaming word count: running counts of all words of a file, or of all files of a directory, discarded. Parallelism,
 * checkpoints, state backend and object reuse come from the cluster's configuration and the command line.
 */
public final class WordCount {
    public static void main(String[] args) throws Exception {
        if (args.length != 1) {
            throw new IllegalArgumentException("usage: WordCount PATH");
        }
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        FileSource<String> source = FileSource.forRecordStreamFormat(new TextLineInputFormat(), new Path(args[0])).build();
        env.fromSource(source, WatermarkStrategy.noWatermarks(), "text")
                .flatMap(new Tokenizer())
                .returns(Types.TUPLE(Types.STRING, Types.INT))
                .keyBy(word -> word.f0, Types.STRING)
                .sum(1)
                .sinkTo(new DiscardingSink<>());
        JobExecutionResult result = env.execute("word count");
        long words = result.<Long>getAccumulatorResult(Tokenizer.WORDS);
        System.out.println("{\"words\":" + words + ",\"job_ms\":" + result.getNetRuntime() + "}");
    }

    /** Splits lines into lower-cased runs of ASCII letters, digits and underscores. */
    private static final class Tokenizer extends RichFlatMapFunction<String, Tuple2<String, Integer>> {
        static final String WORDS = "words";

        private static final byte OTHER = 0;
        private static final byte LOWER = 1;
        private static final byte UPPER = 2;
        private static final byte[] KINDS = new byte[128];

        static {
            for (char c = 0; c < KINDS.length; c++) {
                if (c >= 'A' && c <= 'Z') {
                    KINDS[c] = UPPER;
                } else if (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
                    KINDS[c] = LOWER;
                }
            }
        }

        private final LongCounter words = new LongCounter();
        /** Sent again and again, since objects may be reused. */
        private final Tuple2<String, Integer> result = Tuple2.of("", 1);

        @Override
        public void open(OpenContext context) {
            getRuntimeContext().addAccumulator(WORDS, words);
        }

        @Override
        public void flatMap(String line, Collector<Tuple2<String, Integer>> out) {
            int found = 0;
            int length = line.length();
            int start = -1;
            boolean upper = false;
            for (int i = 0; i <= length; i++) {
                char c = i < length ? line.charAt(i) : ' ';
                byte kind = c < KINDS.length ? KINDS[c] : OTHER;
                if (kind != OTHER) {
                    if (start < 0) {
                        start = i;
                        upper = false;
                    }
                    upper |= kind == UPPER;
                } else if (start >= 0) {
                    String word = line.substring(start, i);
                    result.f0 = upper ? word.toLowerCase(Locale.ROOT) : word;
                    out.collect(result);
                    found++;
                    start = -1;
                }
            }
            words.add(found);
        }
    }
}
