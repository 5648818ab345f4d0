package io.wspush;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A page of channels. */
public final class ChannelPage {
    private final List<ChannelInfo> channels;
    private final long next;

    ChannelPage(Packed.Reader in) {
        next = in.number();
        List<ChannelInfo> all = new ArrayList<>();
        while (in.hasMore()) {
            all.add(new ChannelInfo(in));
        }
        channels = Collections.unmodifiableList(all);
    }

    /**
     * The channels.
     *
     * @return the channels
     */
    public List<ChannelInfo> channels() {
        return channels;
    }

    /**
     * Where the next page begins.
     *
     * @return what to give as {@code after}; 0: that was all
     */
    public long next() {
        return next;
    }
}
